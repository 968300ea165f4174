#include "tools/bench/workload.h"

#include <ATen/ATen.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/random.h"
#include "datasets/pairs.h"
#include "models/architectures/registry.h"
#include "models/decoding/translation.h"
#include "models/run/device.h"

namespace octet {
namespace {

using nlohmann::json;

// Items timed one by one in a round.
constexpr size_t kSingles = 8;

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

class LanguageWorkload : public Workload {
 public:
  LanguageWorkload(LoadedModel& model, const BenchOptions& options)
      : model_(model), prefill_(options.prefill), decode_(options.decode) {}

  void warm_up() override { run(std::min<int64_t>(decode_, 8)); }
  json round() override { return run(decode_); }

 private:
  Batch prompt() const {
    const Random random(0, "bench prompt");
    at::Tensor ids = at::empty({1, prefill_}, at::kLong);
    for (int64_t i = 0; i < prefill_; ++i) {
      ids.data_ptr<int64_t>()[i] = static_cast<int64_t>(
          random.below(static_cast<uint64_t>(i), static_cast<uint64_t>(model_.config.vocab)));
    }
    Batch batch;
    batch.ids = ids.to(model_.executor->options().device);
    return batch;
  }

  json run(int64_t tokens) const {
    const at::Device device = model_.executor->options().device;
    State state = model_.model->new_state(*model_.executor, 1, prefill_ + tokens);
    Batch batch = prompt();
    const Timer whole(device);
    at::Tensor logits = forward(*model_.model, *model_.executor, batch, &state, true);
    json round = {{"prefill_ms", whole.milliseconds()}, {"decode_ms", json::array()}};
    batch.ids = logits.argmax(-1);
    for (int64_t i = 0; i < tokens; ++i) {
      const Timer step(device);
      logits = forward(*model_.model, *model_.executor, batch, &state, true);
      batch.ids = logits.argmax(-1);
      round["decode_ms"].push_back(step.milliseconds());
    }
    return round;
  }

  LoadedModel& model_;
  int64_t prefill_, decode_;
};

// The same sentences in every round.
class TranslationWorkload : public Workload {
 public:
  TranslationWorkload(const SourceModel& source, LoadedModel& model, const BenchOptions& options,
                      Context& context)
      : device_(model.executor->options().device),
        translator_(*model.model, *model.executor, source),
        context_(context) {
    require_option(options.data, "data", "sentences to translate, e.g. parallel:SRC,TGT");
    translator_.generation().beams = options.beam;
    limits_.sentences = options.batch;
    const auto pairs = read_pairs(options.data, Split::kTest);
    const auto count = std::min<size_t>(pairs.size(), static_cast<size_t>(options.items));
    for (size_t i = 0; i < count; ++i) {
      if (i % static_cast<size_t>(options.batch) == 0) batches_.emplace_back();
      batches_.back().push_back(pairs[i].source);
    }
  }

  void warm_up() override { translate(batches_.front()); }

  json round() override {
    json round = {{"batch_ms", json::array()}, {"single_ms", json::array()}};
    size_t items = 0;
    for (const auto& batch : batches_) {
      round["batch_ms"].push_back(translate(batch));
      items += batch.size();
    }
    for (size_t i = 0; i < std::min(kSingles, batches_.front().size()); ++i) {
      round["single_ms"].push_back(translate({batches_.front()[i]}));
    }
    round["items"] = items;
    return round;
  }

 private:
  double translate(const std::vector<std::string>& sources) {
    const Timer timer(device_);
    translator_.translate(sources, limits_, context_);
    return timer.milliseconds();
  }

  at::Device device_;
  Translator translator_;
  TranslationBatch limits_;
  Context& context_;
  std::vector<std::vector<std::string>> batches_;
};

// Random pixels: the time does not depend on them.
class VisionWorkload : public Workload {
 public:
  VisionWorkload(LoadedModel& model, const BenchOptions& options)
      : model_(model), batches_(std::max<int64_t>(1, options.items / options.batch)) {
    const ImageConfig& c = *model.config.image;
    pixels_ = at::randn({options.batch, c.channels, c.height, c.width})
                  .to(model.executor->options().device);
  }

  void warm_up() override { classify(pixels_); }

  json round() override {
    json round = {{"batch_ms", json::array()}, {"single_ms", json::array()}};
    for (int64_t i = 0; i < batches_; ++i) round["batch_ms"].push_back(classify(pixels_));
    for (size_t i = 0; i < kSingles; ++i) {
      round["single_ms"].push_back(classify(pixels_.narrow(0, 0, 1)));
    }
    round["items"] = batches_ * pixels_.size(0);
    return round;
  }

 private:
  double classify(const at::Tensor& pixels) const {
    Batch batch;
    batch.pixels = pixels;
    const Timer timer(pixels.device());
    forward(*model_.model, *model_.executor, batch);
    return timer.milliseconds();
  }

  LoadedModel& model_;
  int64_t batches_;
  at::Tensor pixels_;
};

}  // namespace

std::unique_ptr<Workload> make_workload(const SourceModel& source, LoadedModel& model,
                                        const BenchOptions& options, Context& context) {
  switch (task_kind(model.config)) {
    case TaskKind::kTranslation:
      return std::make_unique<TranslationWorkload>(source, model, options, context);
    case TaskKind::kVision:
      return std::make_unique<VisionWorkload>(model, options);
    case TaskKind::kLanguage:
      break;
  }
  return std::make_unique<LanguageWorkload>(model, options);
}

}  // namespace octet
