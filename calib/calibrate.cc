#include "calib/calibrate.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <span>

#include "calib/observer.h"
#include "core/error.h"
#include "core/io/stage_dir.h"
#include "core/version.h"
#include "datasets/text.h"
#include "models/data/samples.h"
#include "models/open.h"
#include "models/parse_dtype.h"
#include "models/run/device.h"
#include "models/run/hidden_spill.h"
#include "models/run/model.h"

namespace octet {
namespace {

using nlohmann::json;

struct Shard {
  int64_t index = 0, count = 1;
};

Shard parse_shard(const std::string& text) {
  Shard shard;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, shard.index);
  const bool slash = first.ec == std::errc() && first.ptr != end && *first.ptr == '/';
  const auto second = slash ? std::from_chars(first.ptr + 1, end, shard.count) : first;
  if (!slash || second.ec != std::errc() || second.ptr != end || shard.count < 1 ||
      shard.index < 0 || shard.index >= shard.count) {
    throw UsageError(fmt::format("--shard {}", text), "i/n with 0 <= i < n", "e.g. --shard 0/4");
  }
  return shard;
}

json provenance(const CalibrateOptions& options, const std::string& data_hash,
                const std::string& device) {
  return {{"octet", kVersion},
          {"model", model_fingerprint(options.model)},
          {"data_sha256", data_hash},
          {"samples", options.samples},
          {"length", options.length},
          {"unit", options.unit},
          {"seed", options.seed},
          {"dtype", options.dtype},
          {"device", device.substr(0, device.find(':'))}};
}

// One walk over the blocks for one shard's units.
class Walk {
 public:
  Walk(const CalibrateOptions& options, Context& context, const Samples& samples, StageDir& stage)
      : options_(options),
        context_(context),
        samples_(samples),
        stage_(stage),
        spill_(stage.path()),
        device_(open_device(context.device)),
        model_(make_model(open_config(options.model))),
        order_(sample_order(samples.size(), options.samples, static_cast<uint64_t>(options.seed))),
        units_(units(options.samples, options.unit)) {
    const at::ScalarType compute = parse_dtype(options.dtype);
    executor_ = std::make_unique<Executor>(model_->topology(), open_weights(options.model),
                                           float_factory(compute, device_),
                                           ExecutorOptions{compute, device_, false});
    const Shard shard = parse_shard(options.shard);
    mine_ = shard_units(static_cast<int64_t>(units_.size()), shard.index, shard.count);
  }

  CalibrationStore run() {
    const int blocks = model_->topology().blocks;
    const auto steps = static_cast<int64_t>(mine_.size());
    Progress progress(context_.log, "calibrate", steps * (blocks + 1));
    begin(progress);
    CalibrationStore all;
    all.units_total = static_cast<int64_t>(units_.size());
    all.units = mine_;
    for (int block = 0; block < blocks; ++block) {
      const std::string name = fmt::format("block-{}", block);
      if (stage_.has(name)) {
        progress.advance(steps, true);
      } else {
        observe_block(block, progress);
        stage_.finish(name);
        for (const int64_t unit : mine_) spill_.remove(block, unit);
      }
      all.sites.merge(load_calibration(stage_.path() / (name + ".h5")).sites);
    }
    return all;
  }

 private:
  Batch batch(int64_t unit) const {
    const Unit range = units_[static_cast<size_t>(unit)];
    Batch made = samples_
                     .batch(std::span(order_).subspan(static_cast<size_t>(range.begin),
                                                      static_cast<size_t>(range.end - range.begin)))
                     .inputs;
    for (at::Tensor* tensor :
         {&made.ids, &made.mask, &made.target_ids, &made.target_mask, &made.pixels}) {
      if (tensor->defined()) *tensor = tensor->to(device_);
    }
    return made;
  }

  void check_stop() const {
    context_.stop.check(
        fmt::format("run the same command again to go on from {}", stage_.path().string()));
  }

  void begin(Progress& progress) {
    const bool done = stage_.has("begin");
    if (!done) executor_->load(kOutside);
    for (const int64_t unit : mine_) {
      if (!done) {
        check_stop();
        spill_.write(0, unit, model_->begin(*executor_, batch(unit), nullptr));
      }
      progress.advance(1, done);
    }
    executor_->release(kOutside);
    stage_.finish("begin");
  }

  void observe_block(int block, Progress& progress) {
    std::vector<Id> sites;
    const Topology& topology = model_->topology();
    for (size_t i = 0; i < topology.sites.size(); ++i) {
      if (topology.sites[i].block == block) sites.push_back(static_cast<Id>(i));
    }
    CalibrationObserver observer(topology, sites);
    executor_->load(block);
    executor_->observe(&observer);
    for (const int64_t unit : mine_) {
      check_stop();
      Hidden hidden = spill_.read(block, unit, device_);
      model_->block(*executor_, block, hidden, nullptr);
      if (block + 1 < topology.blocks) spill_.write(block + 1, unit, hidden);
      progress.advance();
    }
    executor_->observe(nullptr);
    executor_->release(block);
    CalibrationStore part;
    part.units_total = static_cast<int64_t>(units_.size());
    part.units = mine_;
    part.sites = observer.take();
    const Shard shard = parse_shard(options_.shard);
    part.shard = shard.index;
    part.shards = shard.count;
    save(part, stage_.path() / fmt::format("block-{}.h5", block));
  }

  const CalibrateOptions& options_;
  Context& context_;
  const Samples& samples_;
  StageDir& stage_;
  HiddenSpill spill_;
  at::Device device_;
  std::unique_ptr<Model> model_;
  std::vector<int64_t> order_;
  std::vector<Unit> units_;
  std::vector<int64_t> mine_;
  std::unique_ptr<Executor> executor_;
};

void check(const CalibrateOptions& options) {
  require_option(options.data, "data", "data to run the model on");
  require_option(options.out, "out", "a file to write");
  if (options.samples < 1 || options.length < 2 || options.unit < 1 || options.seed < 0) {
    throw UsageError(fmt::format("--samples {} --length {} --unit {} --seed {}", options.samples,
                                 options.length, options.unit, options.seed),
                     "samples and unit of at least 1, a length of at least 2, a seed of at least 0",
                     "see octet calibrate --help");
  }
  parse_dtype(options.dtype);
  if (open_config(options.model).quantized) {
    throw UsageError(fmt::format("{} is quantized already", options.model), "a float model",
                     "calibrate the checkpoint it was made from");
  }
}

void check_size(const CalibrateOptions& options, const Samples& samples) {
  if (samples.size() >= options.samples) return;
  const bool text = task_kind(open_config(options.model)) == TaskKind::kLanguage;
  const std::string what = text ? fmt::format("windows of {} tokens", options.length) : "samples";
  throw Error(fmt::format("{} {} in {}", samples.size(), what, options.data),
              fmt::format("{} {}", options.samples, text ? "windows" : "samples"),
              text ? "give more text, or a smaller --samples or --length"
                   : "give more data, or a smaller --samples");
}

bool same_run(const CalibrationStore& stored, const std::string& provenance, const Shard& shard) {
  return stored.provenance == provenance && stored.shard == shard.index &&
         stored.shards == shard.count;
}

}  // namespace

void CalibrateOptions::visit(OptionVisitor& v) {
  v.positional("MODEL", "a Hugging Face directory or a .gguf file", model);
  v.field(
      "data",
      "what to run the model on: FILE, text:FILE, jsonl:FILE or choice:FILE; parallel:SRC,TGT or "
      "gettext:LANG[:DIR] of translation models; idx:DIR or images:DIR of image models",
      data);
  v.field("out", "HDF5 file to write", out);
  v.field("samples", "number of windows of text, of sentence pairs or of images", samples);
  v.field("length", "tokens in a window; sentences are cut off there", length);
  v.field("unit", "samples run together: the unit of shards, of resuming and of batches", unit);
  v.field("seed", "0: the first samples; otherwise a random choice of them", seed);
  v.field("shard", "i/n: this run takes every n-th unit from i on (join with calib merge)", shard);
  v.field("dtype", "of the model's arithmetic: float32, bfloat16 or float16", dtype);
}

CalibrateResult calibrate(const CalibrateOptions& options, Context& context) {
  check(options);
  const Shard shard = parse_shard(options.shard);
  const auto samples = open_samples(options.model, options.data, Split::kTrain, options.length);
  const json key = provenance(options, samples->hash(), context.device);
  if (std::filesystem::exists(options.out)) {
    CalibrationStore stored = load_calibration(options.out);
    if (same_run(stored, key.dump(), shard)) return {std::move(stored), true};
    throw UsageError(fmt::format("{} was made with other inputs or options ({})", options.out,
                                 stored.provenance),
                     key.dump(), "choose another --out or remove the file");
  }
  check_size(options, *samples);
  json staged = key;
  staged["shard"] = options.shard;
  StageDir stage(options.out, staged);
  const at::NoGradGuard no_gradients;
  CalibrateResult result;
  result.store = Walk(options, context, *samples, stage).run();
  result.store.provenance = key.dump();
  result.store.shard = shard.index;
  result.store.shards = shard.count;
  save(result.store, options.out);
  stage.discard();
  return result;
}

}  // namespace octet
