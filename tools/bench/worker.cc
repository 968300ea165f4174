#include <ATen/ATen.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/random.h"
#include "eval/memory.h"
#include "models/device.h"
#include "models/parse_dtype.h"
#include "quant/load_model.h"
#include "tools/bench/bench.h"

namespace octet {
namespace {

class Timer {
 public:
  explicit Timer(at::Device device) : device_(device) { synchronize(device_); }
  double milliseconds() const {
    synchronize(device_);
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_)
        .count();
  }

 private:
  at::Device device_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

Batch prompt(const LoadedModel& model, int64_t length) {
  const Random random(0, "bench prompt");
  at::Tensor ids = at::empty({1, length}, at::kLong);
  for (int64_t i = 0; i < length; ++i) {
    ids.data_ptr<int64_t>()[i] = static_cast<int64_t>(
        random.below(static_cast<uint64_t>(i), static_cast<uint64_t>(model.config.vocab)));
  }
  Batch batch;
  batch.ids = ids.to(model.executor->options().device);
  return batch;
}

nlohmann::json one_round(LoadedModel& model, int64_t prefill, int64_t decode) {
  const at::Device device = model.executor->options().device;
  State state = model.model->new_state(*model.executor, 1, prefill + decode);
  Batch batch = prompt(model, prefill);
  const Timer whole(device);
  at::Tensor logits = forward(*model.model, *model.executor, batch, &state, true);
  nlohmann::json round = {{"prefill_ms", whole.milliseconds()},
                          {"decode_ms", nlohmann::json::array()}};
  batch.ids = logits.argmax(-1);
  for (int64_t i = 0; i < decode; ++i) {
    const Timer step(device);
    logits = forward(*model.model, *model.executor, batch, &state, true);
    batch.ids = logits.argmax(-1);
    round["decode_ms"].push_back(step.milliseconds());
  }
  return round;
}

}  // namespace

int bench_worker(const BenchOptions& options, Context& context) {
  const at::NoGradGuard no_gradients;
  LoadedModel model =
      load_model(options.models.front(), {parse_dtype(options.worker), context.device, true});
  one_round(model, options.prefill, std::min<int64_t>(options.decode, 8));  // warm-up
  std::puts("ready");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    nlohmann::json round = one_round(model, options.prefill, options.decode);
    round["scheme"] = model.scheme;
    round["weight_bytes"] = model.executor->weight_bytes();
    round["peak_memory"] = memory_use().peak;
    fmt::print("{}\n", round.dump());
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace octet
