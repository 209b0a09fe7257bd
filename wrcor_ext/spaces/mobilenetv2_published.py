"""The published architectures of the MobileNetV2 space, in the order of the WRCor paper's table (arXiv 2507.08841)."""

from __future__ import annotations

# Stem, seven blocks and head, space by space; `K3` and `K1` stand for SuperConvK3BNRELU and SuperConvK1BNRELU, `ExKy`
# for SuperResIDWExKy; then the resolution.
_SHORT = {
    "mobilenetv2": (
        "K3(3,32,2,1) E1K3(32,16,1,32,1) E6K3(16,24,2,16,2) E6K3(24,32,2,24,3) E6K3(32,64,2,32,4) "
        "E6K3(64,96,1,64,3) E6K3(96,160,2,96,3) E6K3(160,320,1,160,1) K1(320,1280,1,1)",
        224,
    ),
    "zennet_400m": (
        "K3(3,32,2,1) E1K7(32,48,2,40,1) E1K7(48,48,1,40,1) E1K7(48,88,2,96,1) E1K7(88,88,1,96,1) "
        "E2K7(88,144,2,176,1) E2K7(144,144,1,176,5) E4K7(144,248,2,244,10) K1(248,1024,1,1)",
        192,
    ),
    "zennet_600m": (
        "K3(3,16,2,1) E1K7(16,32,2,32,1) E1K7(32,32,1,32,1) E1K7(32,72,2,96,1) E1K7(72,72,1,96,1) "
        "E2K7(72,120,2,128,8) E4K7(120,200,2,176,6) E4K7(200,168,1,192,10) K1(168,1536,1,1)",
        256,
    ),
    "zennet_900m": (
        "K3(3,16,2,1) E1K7(16,48,2,72,1) E1K7(48,48,1,72,1) E2K7(48,72,2,64,1) E2K7(72,72,1,64,5) "
        "E2K7(72,152,2,144,6) E2K7(152,360,2,352,8) E4K7(360,288,1,264,6) K1(288,2048,1,1)",
        224,
    ),
    "random_vote": (
        "K3(3,48,2,1) E6K5(48,40,1,40,2) E6K3(40,32,1,48,3) E6K7(32,32,2,24,3) E6K7(32,96,1,40,2) "
        "E2K7(96,240,2,72,6) E1K3(240,168,2,192,6) E4K7(168,192,2,152,1) K1(192,1440,1,1)",
        320,
    ),
    "rl_vote": (
        "K3(3,48,2,1) E4K7(48,48,1,48,2) E4K5(48,40,1,48,3) E2K3(40,64,2,48,2) E1K5(64,48,1,40,2) "
        "E4K7(48,208,2,96,6) E2K3(208,96,2,208,5) E4K3(96,216,2,160,1) K1(216,928,1,1)",
        320,
    ),
    "evolution_vote": (
        "K3(3,48,2,1) E6K7(48,32,2,32,2) E6K5(32,40,2,48,3) E6K7(40,40,1,32,3) E6K7(40,72,2,64,4) "
        "E6K7(72,176,1,56,6) E4K5(176,240,2,232,6) E2K7(240,136,1,176,2) K1(136,424,1,1)",
        320,
    ),
    "random_vote_600m": (
        "K3(3,40,2,1) E4K5(40,32,2,24,2) E6K5(32,16,2,24,3) E2K7(16,48,2,40,3) E2K5(48,56,1,48,4) "
        "E2K7(56,224,2,72,5) E6K3(224,184,1,192,6) E6K7(184,128,1,144,2) K1(128,1240,1,1)",
        256,
    ),
    "rl_vote_600m": (
        "K3(3,32,2,1) E6K3(32,32,1,16,1) E1K5(32,24,2,40,2) E1K7(24,48,2,48,3) E2K3(48,88,2,64,4) "
        "E6K5(88,152,2,48,6) E6K7(152,152,1,144,6) E4K5(152,240,1,152,2) K1(240,1184,1,1)",
        192,
    ),
    "evolution_vote_600m": (
        "K3(3,48,2,1) E2K7(48,32,2,40,2) E2K7(32,32,2,48,3) E6K7(32,64,1,40,3) E6K7(64,88,2,40,4) "
        "E6K7(88,104,1,56,6) E6K5(104,152,2,192,6) E6K5(152,240,1,136,2) K1(240,1264,1,1)",
        224,
    ),
}


def _full(part: str) -> str:
    """The full spelling of a part; a convolution's name ends in BNRELU, a block's begins with SuperResIDW."""
    name, bracket, numbers = part.partition("(")
    return (f"SuperResIDW{name}" if name.startswith("E") else f"SuperConv{name}BNRELU") + bracket + numbers


# Name: full text without the resolution, and the resolution.
PUBLISHED: dict[str, tuple[str, int]] = {
    name: ("".join(map(_full, blocks.split())), resolution) for name, (blocks, resolution) in _SHORT.items()
}
