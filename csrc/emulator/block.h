// One block while it runs: its threads, what each waits for, and who can go on.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "fiber.h"
#include "order.h"
#include "scheduler.h"
#include "shared_memory.h"

namespace wrcor::emulator {

constexpr unsigned kWarpThreads = 32;

struct Wait {
  Collective kind;
  Site site;
  unsigned mask;
  std::uint64_t posted;
  unsigned source;
};

struct Thread {
  enum class State { ready, waiting, returned };
  Fiber* fiber = nullptr;
  uint3 index = {};
  State state = State::ready;
  Wait wait = {};
  std::uint64_t received = 0;
};

class Block {
 public:
  // Block number `turn` of its launch. `body` is what each thread calls.
  Block(unsigned turn, std::size_t shared_limit, std::size_t dynamic_bytes, const std::function<void()>& body);
  ~Block() { current = nullptr; }

  // Runs all threads until they have returned. Throws Error.
  void run(Order& order);

  // Orders what all threads of a launch did before what the host does next.
  static void finish_launch();

  // Called on the fibers of threads.
  std::uint64_t meet(const Wait& wait);
  [[noreturn]] void fail(std::string message);
  void* shared_array(const void* declaration, const char* name, std::size_t bytes);
  void* dynamic_shared() { return dynamic_; }
  unsigned lane() const { return static_cast<unsigned>(running_ - threads_.data()) % kWarpThreads; }

  // The one that runs.
  static Block* current;

 private:
  static void run_threads();
  void release_block();
  void release_warp(std::size_t first);
  void multiply_warp(std::size_t first);
  void* tag(const Wait& wait);
  std::string describe_threads() const;
  [[noreturn]] void give_up(const std::string& message) const;

  // Warp barriers are told apart by their masks: `completed` of one of them is the same for all threads that take part.
  struct WarpBarrier {
    std::size_t warp;
    unsigned mask;
    unsigned completed;
  };

  const std::function<void()>& body_;
  SharedMemory shared_;
  std::vector<Thread> threads_;
  Fiber scheduler_;
  Thread* running_ = nullptr;
  void* dynamic_ = nullptr;
  std::string error_;
  unsigned barriers_completed_ = 0;
  std::array<WarpBarrier, (SharedMemory::kTags - 3) / 2> warp_barriers_;
  std::size_t warp_barrier_count_ = 0;
};

}  // namespace wrcor::emulator
