// octet bench --kernel: the GPU's kernels alone, each in turns with what FP16 needs for the same.
#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/context.h"
#include "eval/latency.h"

namespace octet {

/// One kernel, or one chain of them, on one shape. `call` and `base` (FP16's, may be empty) put
/// their work on torch's current stream; their argument, 0 to copies - 1, says which of so many
/// copies of the operands to take, more than the L2 cache holds together.
struct KernelCase {
  std::string kernel, shape;
  int64_t m = 0, copies = 1;
  double bytes = 0, operations = 0;  ///< that the kernel cannot do without
  std::function<void(int64_t)> call, base;
};

/// Microseconds of a call; base.n is 0 where there is none.
struct KernelTiming {
  KernelCase what;
  LatencyStats us, base;
};

/// What the card reaches in the same run: bytes read and written by a device copy, multiply-adds
/// times 2 of an FP16 GEMM of 8192 x 8192 x 8192; each a second.
struct CardSpeed {
  double copy = 0, fp16 = 0;
};

/// The cases named "all", "gemm", "layer", "weight-only" or "rows", at each M of `rows` (empty: a
/// default list). UsageError for another name.
std::vector<KernelCase> kernel_cases(const std::string& name, const std::vector<int64_t>& rows,
                                     const Context& context);

CardSpeed measure_card();
/// `rounds` turns, warm-up beside them; each turn replays a graph of all copies.
KernelTiming time_kernel(const KernelCase& what, int64_t rounds);

/// The whole command: table, or JSON alone.
int bench_kernels(const std::string& name, const std::vector<int64_t>& rows, int64_t rounds,
                  bool json, Context& context);

}  // namespace octet
