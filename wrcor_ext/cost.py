"""What any network costs: exact multiply-adds of one image, parameters, peak memory of activations, layers.

The multiply-adds are those of `torch.utils.flop_counter`, which watches the operators that a forward ends in:
convolutions (grouped and transposed ones too), linear layers, matrix products and attention, whatever modules or
functions they come from. It counts two for a multiply-add; here, as everywhere in `wrcor_ext`, it is one. Everything
else (normalisation, activations, poolings, sums) counts nothing. The same operators tell what memory the activations
take; layers are the convolutions and the matrix products with a weight among them, each as often as it is computed.

The forward runs on meta tensors, which have shapes and no values: nothing is computed, and a network made on the meta
device takes no memory. Where a forward looks at values, one image of zeros is computed instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.parameter import UninitializedParameter

from wrcor_ext.errors import InputError, in_words
from wrcor_ext.forward_steps import ForwardSteps
from wrcor_ext.preserve import preserved
from wrcor_ext.spaces.base import Cost, require_count


def count(model: nn.Module, input_shape: Sequence[int] = (3, 224, 224), input_type: torch.dtype | None = None) -> Cost:
    """Multiply-adds, memory and layers of one image in eval mode; parameters, frozen ones included, shared ones once.

    The model comes back as it was.

    Args:
        model: any module that takes one tensor; on any device, the meta device included.
        input_shape: of one image, without the batch: (channels, height, width).
        input_type: of its values, `torch.int64` for tokens; that of the parameters if None.

    Raises:
        InputError: if the forward raises for such an input, or parameters have no shape yet (lazy modules).
    """
    for size in input_shape:
        require_count("every size of input_shape", size)
    if any(isinstance(parameter, UninitializedParameter) for parameter in model.parameters()):
        raise InputError(f"{type(model).__name__} has lazy modules, whose size is not known before their first call")
    params = sum(parameter.numel() for parameter in model.parameters())
    image = _image(model, input_shape, input_type)
    with preserved(model), _countable():
        model.eval()
        try:
            try:
                flops, steps = _watched_without_values(model, image)
            except Exception:  # noqa: BLE001  a forward is foreign code: all that matters is that it needs values
                flops, steps = _watched(model, image)
        except Exception as error:  # whatever that foreign code raises
            raise InputError(
                f"{type(model).__name__} cannot be counted for an input of {'x'.join(map(str, input_shape))}: "
                f"{in_words(error)}"
            ) from error
    return Cost(flops, params, steps.memory, steps.layers)


def count_made(make: Callable[[], nn.Module], input_shape: Sequence[int] = (3, 224, 224)) -> Cost:
    """Like `count` for a network that does not exist yet: it is made on the meta device, without weights.

    Args:
        make: makes the network; called a second time, on the CPU, where the meta device does not do.
        input_shape: of one image, without the batch.

    Raises:
        InputError: if the network cannot be counted; what `make` raises on the CPU passes through.
    """
    try:
        with torch.device("meta"):
            model = make()
            return count(model, input_shape)
    except Exception:  # noqa: BLE001  foreign code again: it may ask for values while it builds
        return count(make(), input_shape)


def _watched_without_values(model: nn.Module, image: Tensor) -> tuple[int, ForwardSteps]:
    state = {
        name: torch.empty_like(tensor, device="meta")
        for tensors in (model.named_parameters(), model.named_buffers())
        for name, tensor in tensors
    }
    return _watched(lambda x: functional_call(model, state, (x,)), image.to("meta"))


def _watched(forward: Callable[[Tensor], object], image: Tensor) -> tuple[int, ForwardSteps]:
    """The multiply-adds of a forward, and its operators."""
    # Here: with it comes triton, a tenth of a second that nobody should pay who counts nothing.
    from torch.utils.flop_counter import FlopCounterMode

    # The counter is asked first, and splits what it does not know into operators that it does.
    with torch.no_grad(), ForwardSteps(image) as steps, FlopCounterMode(display=False) as counter:
        result = forward(image)
    steps.returns(result)
    return int(counter.get_total_flops()) // 2, steps


def _image(model: nn.Module, shape: Sequence[int], dtype: torch.dtype | None) -> Tensor:
    """A batch of one image of zeros on the device of the model's parameters, of their type unless another is given."""
    like = next((parameter for parameter in model.parameters() if parameter.is_floating_point()), torch.empty(0))
    return torch.zeros((1, *shape), device=like.device, dtype=dtype or like.dtype)


@contextmanager
def _countable() -> Iterator[None]:
    """Switches off the fused attention kernels: the counter knows none of the CPU's and would take them for nothing."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
