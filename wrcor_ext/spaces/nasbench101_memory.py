"""Peak memory of activations of NAS-Bench-101 networks, without building one; the rules are those of `liveness`."""

from __future__ import annotations

from functools import lru_cache

from wrcor_ext.spaces.liveness import BYTES, Steps, peak
from wrcor_ext.spaces.nasbench101_cost import NetworkShape, vertex_channels
from wrcor_ext.spaces.nasbench101_graph import unpack


def network_memory(code: int, shape: NetworkShape) -> int:
    """Peak bytes of the activations of one image in the network with the cell of a pruned code.

    Whether a vertex is a convolution or a pooling makes no difference: each makes one tensor of its channels.
    """
    sources, _ = unpack(code)
    return BYTES * _network_numbers(tuple(sources), shape)


@lru_cache(maxsize=65536)
def _network_numbers(sources: tuple[int, ...], shape: NetworkShape) -> int:
    """The same in numbers for a graph, given per vertex its in-neighbours as bits.

    Nothing is there between two parts of the network but the one's output, so the fullest part decides.
    """
    channels, size = shape.stem_width, shape.image_size
    parts = [(3 + channels) * size * size]  # the stem
    channels_in = channels
    for stack in range(shape.stacks):
        if stack > 0:
            halved = size // 2
            parts.append(channels * (size * size + halved * halved))  # the pooling
            channels, size = 2 * channels, halved
        parts.append(_cell_channels(sources, channels_in, channels) * size * size)
        if shape.cells_per_stack > 1:
            parts.append(_cell_channels(sources, channels, channels) * size * size)
        channels_in = channels
    parts.append(channels * size * size + channels)  # the global mean
    parts.append(channels + shape.num_classes)  # the classifier
    return max(parts)


def _cell_channels(sources: tuple[int, ...], channels_in: int, channels_out: int) -> int:
    """The most channels of a cell that are there at the same time; all of them are of one size."""
    channels = vertex_channels(channels_in, channels_out, sources)
    output = len(sources) - 1
    steps: Steps[int] = Steps()
    values = [steps.given(channels_in)]

    def total(terms: list[int], width: int) -> int:
        found = terms[0]
        for term in terms[1:]:
            found = steps.make(width, found, term)
        return found

    for vertex, width in enumerate(channels[1:], start=1):
        # Inputs of a vertex are slices, views of their sources; the output's are put side by side first.
        terms = [values[source] for source in range(1, vertex) if sources[vertex] >> source & 1]
        if vertex == output and terms:
            terms = [steps.make(width, *terms)]
        if sources[vertex] & 1:
            terms.append(steps.make(width, values[0]))  # the projection of the cell's input
        value = total(terms, width)
        values.append(value if vertex == output else steps.make(width, value))
    return peak(steps, values[-1])
