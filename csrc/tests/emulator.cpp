// The emulator itself: each thing that kernels ask of it against its definition.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "../kernels/platform.cuh"
#include "check.h"

namespace {

using wrcor::emulator::set_order;

const char* const kOrders[] = {"forward", "reverse", "rotated", "random:1", "random:2"};

// What a launch complains of, "" if of nothing.
template <typename Launch>
std::string complaint(Launch launch) {
  try {
    launch();
  } catch (const wrcor::emulator::Error& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

__global__ void visit(int* seen) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  seen[block * blockDim.x * blockDim.y * blockDim.z + thread] += 1;
}

TEST(every_thread_of_every_block_runs_once) {
  for (const char* order : kOrders) {
    set_order(order);
    std::vector<int> seen(3 * 2 * 2 * 5 * 3 * 4);
    WRCOR_LAUNCH(visit, dim3(3, 2, 2), dim3(5, 3, 4), 0, nullptr, seen.data());
    for (const int count : seen) CHECK(count == 1);
  }
  set_order("forward");
}

__global__ void note_order(int* order, int* next) { order[atomicAdd(next, 1)] = static_cast<int>(threadIdx.x); }

TEST(orders_differ) {
  std::vector<std::vector<int>> orders;
  for (const char* order : kOrders) {
    set_order(order);
    std::vector<int> seen(64);
    int next = 0;
    WRCOR_LAUNCH(note_order, 1, 64, 0, nullptr, seen.data(), &next);
    for (const auto& other : orders) CHECK(other != seen);
    orders.push_back(seen);
  }
  CHECK(orders[0].front() == 0 && orders[1].front() == 63 && orders[2].front() == 32);
  set_order("forward");
  for (const char* text : {"", "backward", "random", "random:", "random:x"}) {
    CHECK(contains(complaint([&] { set_order(text); }), "forward, reverse, rotated or random:SEED"));
  }
}

__global__ void shuffle_all(int width, int argument, int* out) {
  const int lane = static_cast<int>(threadIdx.x);
  const int value = 1000 + lane;
  const auto distance = static_cast<unsigned>(argument);
  out[lane] = __shfl_sync(0xffffffffu, value, argument, width);
  out[32 + lane] = __shfl_up_sync(0xffffffffu, value, distance, width);
  out[64 + lane] = __shfl_down_sync(0xffffffffu, value, distance, width);
  out[96 + lane] = __shfl_xor_sync(0xffffffffu, value, argument, width);
}

TEST(shuffles_match_their_definition) {
  for (int width = 1; width <= 32; width *= 2) {
    for (const int argument : {0, 1, 3, 16, 31}) {
      std::vector<int> out(128);
      WRCOR_LAUNCH(shuffle_all, 1, 32, 0, nullptr, width, argument, out.data());
      for (int lane = 0; lane < 32; ++lane) {
        const int first = lane / width * width;
        CHECK(out[lane] == 1000 + first + argument % width);
        CHECK(out[32 + lane] == 1000 + (lane - argument >= first ? lane - argument : lane));
        CHECK(out[64 + lane] == 1000 + (lane + argument < first + width ? lane + argument : lane));
        CHECK(out[96 + lane] == 1000 + ((lane ^ argument) < first + width ? lane ^ argument : lane));
      }
    }
  }
}

template <typename T>
__global__ void shuffle_type(const T* in, T* out) {
  out[threadIdx.x] = __shfl_xor_sync(0xffffffffu, in[threadIdx.x], 5);
}

template <typename T>
void shuffles_type(T (*make)(float)) {
  std::vector<T> in, out(32);
  for (int lane = 0; lane < 32; ++lane) in.push_back(make(static_cast<float>(lane) - 7.5f));
  WRCOR_LAUNCH(shuffle_type<T>, 1, 32, 0, nullptr, in.data(), out.data());
  for (int lane = 0; lane < 32; ++lane) CHECK(std::memcmp(&out[lane], &in[lane ^ 5], sizeof(T)) == 0);
}

TEST(shuffles_carry_every_type) {
  shuffles_type<float>([](float value) { return value; });
  shuffles_type<double>([](float value) { return value / 3.0; });
  shuffles_type<long long>([](float value) { return static_cast<long long>(value) * (1ll << 40); });
  shuffles_type<__half>([](float value) { return __float2half(value); });
  shuffles_type<__nv_bfloat16>([](float value) { return __float2bfloat16(value); });
}

__global__ void votes(unsigned* out) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  const unsigned ballot = __ballot_sync(0xffffffffu, lane % 3 == 0);
  const unsigned own_half = lane < 16 ? 0x0000ffffu : 0xffff0000u;
  const int any = __any_sync(own_half, lane == 20);
  const int all = __all_sync(own_half, lane != 20);
  const int count = __syncthreads_count(threadIdx.x < 40);
  const int some = __syncthreads_or(threadIdx.x == 50);
  const int every = __syncthreads_and(threadIdx.x != 50);
  unsigned* own = out + 6 * threadIdx.x;
  own[0] = ballot;
  own[1] = static_cast<unsigned>(any);
  own[2] = static_cast<unsigned>(all);
  own[3] = static_cast<unsigned>(count);
  own[4] = static_cast<unsigned>(some);
  own[5] = static_cast<unsigned>(every);
}

TEST(votes_count_the_threads_concerned) {
  for (const char* order : kOrders) {
    set_order(order);
    std::vector<unsigned> out(6 * 80);
    WRCOR_LAUNCH(votes, 1, 80, 0, nullptr, out.data());
    for (unsigned thread = 0; thread < 80; ++thread) {
      const unsigned* own = &out[6 * thread];
      const bool upper = thread % 32 >= 16;
      // The last warp has 16 lanes.
      CHECK(own[0] == (thread < 64 ? 0x49249249u : 0x00009249u));
      CHECK(own[1] == (upper ? 1u : 0u));
      CHECK(own[2] == (upper ? 0u : 1u));
      CHECK(own[3] == 40 && own[4] == 1 && own[5] == 0);
    }
  }
  set_order("forward");
}

// Lanes return one after the other; those that are left go on.
__global__ void returning(float* out) {
  float sum = 0;
  for (unsigned turn = 0; turn < 32; ++turn) {
    if (threadIdx.x == turn) break;
    sum += __shfl_sync(0xffffffffu, 1.0f, 31);
  }
  out[threadIdx.x] = sum;
}

TEST(lanes_that_returned_take_no_part) {
  std::vector<float> out(32);
  WRCOR_LAUNCH(returning, 1, 32, 0, nullptr, out.data());
  for (int lane = 0; lane < 32; ++lane) CHECK(out[lane] == static_cast<float>(lane));
}

__global__ void from_nobody(float* out) {
  if (threadIdx.x < 16) out[threadIdx.x] = __shfl_sync(0x0000ffffu, 1.0f, static_cast<int>(threadIdx.x) + 8);
}

TEST(a_lane_that_takes_no_part_gives_nan) {
  std::vector<float> out(16);
  WRCOR_LAUNCH(from_nobody, 1, 32, 0, nullptr, out.data());
  for (int lane = 0; lane < 16; ++lane) CHECK(lane < 8 ? out[lane] == 1.0f : std::isnan(out[lane]));
}

// Pairs of masks that overlap in time: (0 1) (2 3), then (0 2) (1 3).
__global__ void small_masks(int* out) {
  WRCOR_SHARED(int, values, 4);
  const unsigned t = threadIdx.x;
  if (t >= 4) return;
  values[t] = 1;
  __syncwarp(t < 2 ? 0x3u : 0xcu);
  const int first = values[t ^ 1];
  __syncwarp(t < 2 ? 0x3u : 0xcu);
  values[t] += first;
  const unsigned second = t % 2 == 0 ? 0x5u : 0xau;
  __syncwarp(second);
  out[t] = values[t ^ 2];
}

TEST(warp_barriers_of_parts_of_a_warp) {
  for (const char* order : kOrders) {
    set_order(order);
    std::vector<int> out(4);
    WRCOR_LAUNCH(small_masks, 1, 32, 0, nullptr, out.data());
    for (const int value : out) CHECK(value == 2);
  }
  set_order("forward");
}

// Each block transposes a tile; many barriers, so that tags are used again.
__global__ void transpose(int* values, int turns) {
  WRCOR_SHARED(int, tile, 16 * 16);
  const unsigned x = threadIdx.x % 16, y = threadIdx.x / 16;
  int* own = values + blockIdx.x * 256;
  for (int turn = 0; turn < turns; ++turn) {
    tile[y * 16 + x] = own[y * 16 + x];
    __syncthreads();
    own[y * 16 + x] = tile[x * 16 + y];
    __syncthreads();
  }
}

TEST(barriers_separate_writers_from_readers) {
  for (const char* order : kOrders) {
    set_order(order);
    std::vector<int> values(5 * 256);
    for (int i = 0; i < 5 * 256; ++i) values[i] = i;
    WRCOR_LAUNCH(transpose, 5, 256, 0, nullptr, values.data(), 3);
    for (int i = 0; i < 5 * 256; ++i) CHECK(values[i] == i / 256 * 256 + i % 16 * 16 + i / 16 % 16);
  }
  set_order("forward");
}

template <typename T>
__global__ void add_up(T* sum) {
  atomicAdd(sum, static_cast<T>(threadIdx.x));
}

template <typename T>
void adds_up() {
  T sum = 5;
  WRCOR_LAUNCH(add_up<T>, 3, 100, 0, nullptr, &sum);
  CHECK(sum == static_cast<T>(5 + 3 * 4950));
}

TEST(atomics_of_all_types_and_blocks_add_up) {
  adds_up<int>();
  adds_up<unsigned>();
  adds_up<unsigned long long>();
  adds_up<float>();
  adds_up<double>();
}

__global__ void shared_starts(double* out) {
  WRCOR_SHARED(char, odd, 3);
  WRCOR_SHARED(double, values, 7);
  WRCOR_SHARED(__half, halves, 5);
  WRCOR_DYNAMIC_SHARED(float, dynamic);
  double* own = out + 6 * blockIdx.x;
  own[0] = values[6];
  own[1] = __half2float(halves[4]);
  own[2] = dynamic[9];
  own[3] = static_cast<double>(reinterpret_cast<std::size_t>(values) % 16 + reinterpret_cast<std::size_t>(halves) % 16);
  own[4] = static_cast<double>(reinterpret_cast<std::size_t>(dynamic) % 16 + reinterpret_cast<std::size_t>(odd) % 16);
  own[5] = sizeof(values);
  values[6] = 1;
  halves[4] = __float2half(1);
  dynamic[9] = 1;
}

TEST(shared_memory_starts_as_nan_in_every_block) {
  std::vector<double> out(6 * 3);
  WRCOR_LAUNCH(shared_starts, 3, 1, 40, nullptr, out.data());
  for (int block = 0; block < 3; ++block) {
    for (int which = 0; which < 3; ++which) CHECK(std::isnan(out[6 * block + which]));
    CHECK(out[6 * block + 3] == 0 && out[6 * block + 4] == 0);
    CHECK(out[6 * block + 5] == 7 * sizeof(double));
  }
}

__global__ void wide_loads(const float* in, const __half2* halves, const __nv_bfloat162* bfloats, float* out) {
  const float4 four = __ldg(reinterpret_cast<const float4*>(in) + threadIdx.x);
  const float2 two = __half22float2(halves[threadIdx.x]);
  const float2 brain = __bfloat1622float2(bfloats[threadIdx.x]);
  out[threadIdx.x] = four.x + four.y + four.z + four.w + two.x + two.y + brain.x + brain.y;
}

TEST(wide_loads_and_half_precision) {
  alignas(16) float in[4 * 8];
  for (int i = 0; i < 32; ++i) in[i] = static_cast<float>(i);
  std::vector<__half2> halves;
  std::vector<__nv_bfloat162> bfloats;
  for (int i = 0; i < 8; ++i) halves.push_back(__floats2half2_rn(0.5f, static_cast<float>(i)));
  for (int i = 0; i < 8; ++i) bfloats.push_back(__floats2bfloat162_rn(0.25f, static_cast<float>(i)));
  float out[8];
  WRCOR_LAUNCH(wide_loads, 1, 8, 0, nullptr, in, halves.data(), bfloats.data(), out);
  for (int i = 0; i < 8; ++i) CHECK(out[i] == static_cast<float>(16 * i + 6 + 0.75 + 2 * i));
}

__global__ void bits(unsigned* out) {
  out[0] = static_cast<unsigned>(__popc(0xf0f0u) + __popcll(0xff00000000000000ull));
  out[1] = __float_as_uint(1.0f);
  out[2] = static_cast<unsigned>(__double_as_longlong(2.0) >> 52);
  out[3] = __longlong_as_double(0x7ff8000000000000ll) != __longlong_as_double(0x7ff8000000000000ll);
}

TEST(bits_of_numbers) {
  unsigned out[4];
  WRCOR_LAUNCH(bits, 1, 1, 0, nullptr, out);
  CHECK(out[0] == 16 && out[1] == 0x3f800000u && out[2] == 1024 && out[3] == 1);
}

__global__ void nothing() {}

TEST(launches_that_a_device_refuses) {
  const auto launch = [](dim3 grid, dim3 block, std::size_t shared_bytes) {
    return complaint([&] { WRCOR_LAUNCH(nothing, grid, block, shared_bytes, nullptr); });
  };
  CHECK(launch(1, 1024, 227 * 1024).empty());
  CHECK(contains(launch(1, 1025, 0), "not (1025, 1, 1)"));
  CHECK(contains(launch(1, dim3(1, 1, 65), 0), "not (1, 1, 65)"));
  CHECK(contains(launch(1, 0, 0), "not (0, 1, 1)"));
  CHECK(contains(launch(dim3(0, 3), 32, 0), "not (0, 3, 1)"));
  CHECK(contains(launch(dim3(1, 65536), 32, 0), "not (1, 65536, 1)"));
  CHECK(contains(launch(1, 32, 227 * 1024 + 1), "not 232449"));
}

// Errors leave threads in the middle of a kernel whose writes nobody waits for: nothing for ThreadSanitizer.
#if !defined(__SANITIZE_THREAD__)
__global__ void greedy(float* out) {
  WRCOR_SHARED(float, big, 40 * 1024);
  WRCOR_DYNAMIC_SHARED(float, more);
  big[threadIdx.x] = more[threadIdx.x] = 1;
  out[0] = big[0];
}

__global__ void two_barriers(int* out) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  out[threadIdx.x] = 1;
}

__global__ void barrier_and_shuffle(int* out) {
  if (threadIdx.x == 3) __syncthreads();
  out[threadIdx.x] = __shfl_sync(0xffffffffu, 1, 0);
  if (threadIdx.x != 3) __syncthreads();
}

__global__ void foreign_mask(int* out) { out[threadIdx.x] = __shfl_sync(0x1u, 1, 0); }

__global__ void odd_width(int* out) { out[threadIdx.x] = __shfl_sync(0xffffffffu, 1, 0, 12); }

TEST(errors_say_what_happened_and_leave_the_emulator_usable) {
  std::vector<int> out(64);
  float sink = 0;
  const auto launch = [&](void (*kernel)(int*)) {
    return complaint([&] { WRCOR_LAUNCH(kernel, 1, 64, 0, nullptr, out.data()); });
  };
  for (const char* order : kOrders) {
    set_order(order);
    CHECK(contains(launch(two_barriers), "has diverged: threads 0 to 31 wait in __syncthreads at "));
    CHECK(contains(launch(barrier_and_shuffle), "threads 3 wait in __syncthreads at "));
    CHECK(contains(launch(foreign_mask), "__shfl_sync with a mask without the calling lane, at "));
    CHECK(contains(launch(odd_width), "a shuffle's width is a power of two up to 32, not 12"));
    CHECK(complaint([&] { WRCOR_LAUNCH(greedy, 1, 32, 64 * 1024, nullptr, &sink); }).empty());
    CHECK(contains(complaint([&] { WRCOR_LAUNCH(greedy, 1, 32, 68 * 1024, nullptr, &sink); }),
                   "no shared memory is left for big of 163840 bytes"));
    std::vector<int> values(256, 1);
    WRCOR_LAUNCH(transpose, 1, 256, 0, nullptr, values.data(), 1);
    CHECK(values[255] == 1);
  }
  set_order("forward");
}
#endif

TEST(host_threads_launch_one_after_the_other) {
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      std::vector<int> values(2 * 256);
      for (int i = 0; i < 2 * 256; ++i) values[i] = i;
      for (int turn = 0; turn < 5; ++turn) WRCOR_LAUNCH(transpose, 2, 256, 0, nullptr, values.data(), 2);
      for (int i = 0; i < 2 * 256; ++i) good += values[i] == i;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(good == 4 * 2 * 256);
}

}  // namespace
