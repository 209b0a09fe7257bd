// The MD5 digest (RFC 1321). Here it names cells, as NAS-Bench-101 does; it protects nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace wrcor::spaces {

using Md5 = std::array<uint8_t, 16>;
using Md5Text = std::array<char, 32>;

Md5 md5(const void* data, size_t size);

// Lower-case hexadecimal digits, without a terminating zero. Texts compare as the digests do.
Md5Text md5_text(const void* data, size_t size);

}  // namespace wrcor::spaces
