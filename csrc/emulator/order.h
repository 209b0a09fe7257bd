// The order in which threads of a block are resumed, and blocks of a grid are run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace wrcor::emulator {

class Order {
 public:
  // "forward", "reverse", "rotated" or "random:SEED". Throws Error otherwise.
  explicit Order(const std::string& text);

  // A permutation of 0 ... count - 1; with "random" another one at each call. Valid until the next call.
  const std::vector<unsigned>& next(unsigned count);

 private:
  enum class Kind { forward, reverse, rotated, random };
  Kind kind_;
  std::uint64_t state_ = 0;  // of the generator
  std::vector<unsigned> permutation_;
};

}  // namespace wrcor::emulator
