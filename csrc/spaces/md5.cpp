#include "md5.h"

#include <cstring>

namespace wrcor::spaces {
namespace {

constexpr size_t kBlock = 64;  // bytes per compression
constexpr size_t kLength = 8;  // bytes of the message length, which ends the last block

// floor(2^32 abs(sin(i + 1))), i = 0 .. 63.
constexpr uint32_t kSines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

constexpr uint32_t kStart[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};

constexpr int kShifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

// One 32-bit word of every lane; the compiler maps it to what vector registers there are.
using Lanes = uint32_t __attribute__((vector_size(4 * kMd5Lanes)));

inline uint32_t little_endian(const uint8_t* bytes) {
  return static_cast<uint32_t>(bytes[0]) | static_cast<uint32_t>(bytes[1]) << 8 |
         static_cast<uint32_t>(bytes[2]) << 16 | static_cast<uint32_t>(bytes[3]) << 24;
}

// Round 0 .. 3 of the compression, for one message (Word = uint32_t) or all lanes. Its 16 steps are unrolled: every
// index is then a constant.
template <int kRound, typename Word>
inline void compress_round(Word (&s)[4], const Word (&words)[16]) {
  Word a = s[0], b = s[1], c = s[2], d = s[3];
#pragma GCC unroll 16
  for (int step = 0; step < 16; ++step) {
    Word mixed;
    int word = step;
    if constexpr (kRound == 0) {
      mixed = d ^ (b & (c ^ d));
    } else if constexpr (kRound == 1) {
      mixed = c ^ (d & (b ^ c));
      word = (5 * step + 1) % 16;
    } else if constexpr (kRound == 2) {
      mixed = b ^ c ^ d;
      word = (3 * step + 5) % 16;
    } else {
      mixed = c ^ (b | ~d);
      word = 7 * step % 16;
    }
    const Word sum = a + mixed + kSines[16 * kRound + step] + words[word];
    const int shift = kShifts[kRound][step % 4];
    a = d;
    d = c;
    c = b;
    b = b + (sum << shift | sum >> (32 - shift));
  }
  s[0] = a, s[1] = b, s[2] = c, s[3] = d;
}

// The state after one block more.
template <typename Word>
inline void compress(Word (&state)[4], const Word (&words)[16]) {
  Word s[4] = {state[0], state[1], state[2], state[3]};
  compress_round<0>(s, words);
  compress_round<1>(s, words);
  compress_round<2>(s, words);
  compress_round<3>(s, words);
  for (int i = 0; i < 4; ++i) state[i] = state[i] + s[i];
}

inline void compress_block(uint32_t (&state)[4], const uint8_t* block) {
  uint32_t words[16];
  for (int i = 0; i < 16; ++i) words[i] = little_endian(block + 4 * i);
  compress(state, words);
}

// Writes a one bit, zeros and the length in bits behind the last `left` bytes of a message of `size` bytes; returns
// where the blocks end, counted from the start of those bytes.
size_t pad(uint8_t* tail, size_t left, size_t size) {
  const size_t end = left + 1 + kLength <= kBlock ? kBlock : 2 * kBlock;
  std::memset(tail + left, 0, end - left);
  tail[left] = 0x80;
  const uint64_t bits = static_cast<uint64_t>(size) * 8;
  for (size_t i = 0; i < kLength; ++i) tail[end - kLength + i] = static_cast<uint8_t>(bits >> (8 * i));
  return end;
}

inline void write_text(const uint32_t (&state)[4], Md5Text& text) {
  constexpr char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < text.size() / 2; ++i) {
    const uint32_t byte = state[i / 4] >> (8 * (i % 4));
    text[2 * i] = digits[byte >> 4 & 15];
    text[2 * i + 1] = digits[byte & 15];
  }
}

}  // namespace

Md5Text md5_text(const void* data, size_t size) {
  uint32_t state[4] = {kStart[0], kStart[1], kStart[2], kStart[3]};
  const auto* bytes = static_cast<const uint8_t*>(data);
  size_t left = size;
  for (; left >= kBlock; left -= kBlock, bytes += kBlock) compress_block(state, bytes);

  uint8_t tail[2 * kBlock];
  if (left > 0) std::memcpy(tail, bytes, left);
  const size_t end = pad(tail, left, size);
  for (size_t start = 0; start < end; start += kBlock) compress_block(state, tail + start);
  Md5Text text;
  write_text(state, text);
  return text;
}

void md5_texts(Md5Message* messages, int count, Md5Text* texts) {
  size_t blocks[kMd5Lanes] = {}, most = 0;
  for (int lane = 0; lane < count; ++lane) {
    Md5Message& message = messages[lane];
    const size_t whole = message.size / kBlock * kBlock, left = message.size - whole;
    blocks[lane] = (whole + pad(message.bytes + whole, left, message.size)) / kBlock;
    most = blocks[lane] > most ? blocks[lane] : most;
  }
  Lanes state[4];
  for (int i = 0; i < 4; ++i) state[i] = Lanes{} + kStart[i];
  for (size_t block = 0; block < most; ++block) {
    // A lane whose message has ended goes through the motions with zeros; its text is written by then.
    Lanes words[16] = {};
    for (int lane = 0; lane < count; ++lane) {
      if (block >= blocks[lane]) continue;
      for (int i = 0; i < 16; ++i) words[i][lane] = little_endian(messages[lane].bytes + kBlock * block + 4 * i);
    }
    compress(state, words);
    for (int lane = 0; lane < count; ++lane) {
      if (block + 1 == blocks[lane])
        write_text({state[0][lane], state[1][lane], state[2][lane], state[3][lane]}, texts[lane]);
    }
  }
}

}  // namespace wrcor::spaces
