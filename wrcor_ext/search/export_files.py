"""A network as files for other programs: weights as safetensors, ONNX, a program of `torch.export`."""

from __future__ import annotations

import importlib.util
import io
import warnings
from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from wrcor_ext.errors import WrcorError, in_words

R = TypeVar("R")

# The largest deviation of ONNX Runtime from PyTorch, as a share of the largest output. Both compute in float32 and add
# up in different orders.
TOLERANCE = 1e-3

OPSET = 18


def missing(*packages: str) -> list[str]:
    """Those of the packages that are not installed."""
    return [name for name in packages if importlib.util.find_spec(name) is None]


def safetensors(model: nn.Module, metadata: Mapping[str, str]) -> bytes:
    """The state of a model in the format of safetensors, under the names of its `state_dict`."""
    from safetensors.torch import save

    return save({name: value.contiguous() for name, value in model.state_dict().items()}, metadata=dict(metadata))


def program(model: nn.Module, images: Tensor) -> bytes:
    """The model in evaluation mode as a program that `torch.export.load` reads, for batches of any size."""
    buffer = io.BytesIO()
    exported = _quietly(lambda: torch.export.export(model, (images,), dynamic_shapes=_batches()))
    torch.export.save(exported, buffer)
    return buffer.getvalue()


def onnx(model: nn.Module, images: Tensor) -> bytes:
    """The model in evaluation mode as ONNX, `images` to `logits`, for batches of any size; checked in ONNX Runtime.

    Args:
        model: in evaluation mode.
        images: [B, 3, S, S], at least two.

    Raises:
        WrcorError: if it cannot be exported, or computes something else in ONNX Runtime.
    """
    try:
        made = _quietly(
            lambda: torch.onnx.export(
                model,
                (images,),
                dynamo=True,
                opset_version=OPSET,
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes=_batches(),
                verbose=False,
            )
        )
    except Exception as error:  # the model may be foreign code, and the exporter raises anything
        raise WrcorError(f"the network cannot be exported to ONNX: {in_words(error)}") from error
    assert made is not None
    content: bytes = made.model_proto.SerializeToString()
    check_onnx(content, model, images)
    return content


def check_onnx(content: bytes, model: nn.Module, images: Tensor) -> None:
    """Runs a network in ONNX Runtime, on all the images and on the first alone.

    Raises:
        WrcorError: if it computes something else than the model.
    """
    import onnx
    import onnxruntime

    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    for batch in (images, images[:1]):
        (found,) = session.run(["logits"], {"images": batch.numpy()})
        with torch.no_grad():
            expected = model(batch)
        deviation = float((torch.from_numpy(found) - expected).abs().max() / expected.abs().max().clamp(min=1e-30))
        if not deviation <= TOLERANCE:  # written so that NaN fails
            raise WrcorError(f"the network in ONNX deviates by {deviation:.2g} of its largest output from PyTorch's")


def _batches() -> tuple[dict[int, object]]:
    return ({0: torch.export.Dim("batch", min=1)},)


def _quietly(export: Callable[[], R]) -> R:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # about the inside of the exporter; the result is checked
        return export()
