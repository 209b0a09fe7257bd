#include "scheduler.h"

#include <cstdlib>
#include <mutex>
#include <utility>

#include "block.h"

namespace wrcor::emulator {

uint3 threadIdx;
uint3 blockIdx;
dim3 blockDim;
dim3 gridDim;

namespace {

constexpr unsigned kMaxThreads = 1024;  // of a block, on every device so far
constexpr unsigned kMaxGridX = 2147483647;
constexpr unsigned kMaxGridYZ = 65535;
constexpr std::uint64_t kMaxBlocks = 1u << 24;  // more would not end today

std::mutex launching;  // one grid at a time: the built-in variables are global
std::size_t limit = 227 * 1024;

std::string& order_text() {
  static std::string text = [] {
    const char* const set = std::getenv("WRCOR_EMULATOR_ORDER");
    return std::string(set != nullptr && *set != '\0' ? set : "forward");
  }();
  return text;
}

std::string text(const dim3& size) {
  return "(" + std::to_string(size.x) + ", " + std::to_string(size.y) + ", " + std::to_string(size.z) + ")";
}

void check(dim3 grid, dim3 block, std::size_t shared_bytes) {
  const bool some = block.x >= 1 && block.y >= 1 && block.z >= 1 && block.z <= 64;
  if (!some || static_cast<std::uint64_t>(block.x) * block.y * block.z > kMaxThreads) {
    throw Error("a block has 1 to 1024 threads, at most 64 of them in z, not " + text(block));
  }
  if (grid.x < 1 || grid.y < 1 || grid.z < 1 || grid.x > kMaxGridX || grid.y > kMaxGridYZ || grid.z > kMaxGridYZ) {
    throw Error("a grid has 1 to 2147483647 x 65535 x 65535 blocks, not " + text(grid));
  }
  if (static_cast<std::uint64_t>(grid.x) * grid.y * grid.z > kMaxBlocks) throw Error("too many blocks: " + text(grid));
  if (shared_bytes > limit) {
    throw Error("a block has " + std::to_string(limit) + " bytes of shared memory, not " +
                std::to_string(shared_bytes));
  }
}

}  // namespace

void run(dim3 grid, dim3 block, std::size_t shared_bytes, const std::function<void()>& thread) {
  const std::lock_guard<std::mutex> lock(launching);
  check(grid, block, shared_bytes);
  gridDim = grid;
  blockDim = block;
  Order thread_order(order_text());
  Order block_order(order_text());

  unsigned turn = 0;
  for (const unsigned index : block_order.next(grid.x * grid.y * grid.z)) {
    blockIdx = {index % grid.x, index / grid.x % grid.y, index / (grid.x * grid.y)};
    Block(turn++, limit, shared_bytes, thread).run(thread_order);
  }
  Block::finish_launch();
}

void set_order(const std::string& text) {
  const Order valid(text);
  order_text() = text;
}

std::size_t shared_memory_limit() { return limit; }
void set_shared_memory_limit(std::size_t bytes) { limit = bytes; }

void* shared_array(const void* declaration, const char* name, std::size_t bytes) {
  return Block::current->shared_array(declaration, name, bytes);
}

void* dynamic_shared() { return Block::current->dynamic_shared(); }

std::uint64_t meet(Collective kind, Site site, unsigned mask, std::uint64_t posted, unsigned source) {
  return Block::current->meet({kind, site, mask, posted, source});
}

void fail(std::string message) { Block::current->fail(std::move(message)); }

unsigned lane() { return Block::current->lane(); }

}  // namespace wrcor::emulator
