#include "calib/calibrate.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <span>

#include "calib/block_walk.h"
#include "calib/observer.h"
#include "core/error.h"
#include "core/io/stage_dir.h"
#include "core/version.h"
#include "datasets/text.h"
#include "models/architectures/registry.h"
#include "models/data/open_samples.h"
#include "models/data/samples.h"
#include "models/parse_dtype.h"
#include "models/run/device.h"
#include "models/run/model.h"
#include "models/source_model.h"

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

json provenance(const SourceModel& model, const CalibrateOptions& options,
                const std::string& data_hash, const std::string& device) {
  return {{"octet", kVersion},
          {"model", model.fingerprint()},
          {"data_sha256", data_hash},
          {"samples", options.samples},
          {"length", options.length},
          {"unit", options.unit},
          {"seed", options.seed},
          {"dtype", options.dtype},
          {"device", device.substr(0, device.find(':'))}};
}

// The sites of all blocks for one shard's units.
class Calibration {
 public:
  Calibration(const SourceModel& model, const CalibrateOptions& options, Context& context,
              const Samples& samples, StageDir& stage)
      : options_(options),
        context_(context),
        samples_(samples),
        stage_(stage),
        device_(open_device(context.device)),
        model_(make_model(model.config())),
        order_(sample_order(samples.size(), options.samples, static_cast<uint64_t>(options.seed))),
        units_(units(options.samples, options.unit)) {
    const at::ScalarType compute = parse_dtype(options.dtype);
    executor_ = std::make_unique<Executor>(model_->topology(), model.weights(),
                                           float_factory(compute, device_),
                                           ExecutorOptions{compute, device_, false});
    const Shard shard = parse_shard(options.shard);
    mine_ = shard_units(static_cast<int64_t>(units_.size()), shard.index, shard.count);
  }

  CalibrationStore run() {
    const int blocks = model_->topology().blocks;
    WalkSetup setup;
    setup.model = model_.get(), setup.executor = executor_.get(), setup.context = &context_;
    setup.units = static_cast<int64_t>(mine_.size());
    setup.batch = [this](int64_t i) { return batch(mine_[static_cast<size_t>(i)]); };
    setup.folder = stage_.path();
    setup.budget = budget();
    while (setup.finished < blocks && stage_.has(block_name(setup.finished))) ++setup.finished;
    Progress progress(context_.log, "calibrate", setup.units * (blocks + 1));
    setup.progress = &progress;
    BlockWalk walk(setup);
    walk_blocks({{&walk, [this](BlockPass& pass) { visit(pass); }}});
    CalibrationStore all = empty_store();
    for (int block = 0; block < blocks; ++block) {
      all.sites.merge(load_calibration(block_file(block)).sites);
    }
    return all;
  }

 private:
  static std::string block_name(int block) { return fmt::format("block-{}", block); }
  std::filesystem::path block_file(int block) const {
    return stage_.path() / (block_name(block) + ".h5");
  }

  MemoryBudget budget() const {
    if (options_.hidden_memory < 0) return memory_budget(device_);
    const auto bytes = static_cast<uint64_t>(std::min(0x1p30, options_.hidden_memory) * 0x1p30);
    return {bytes, device_.is_cuda() ? bytes : 0};
  }

  Batch batch(int64_t unit) const {
    const Unit range = units_[static_cast<size_t>(unit)];
    return samples_
        .batch(std::span(order_).subspan(static_cast<size_t>(range.begin),
                                         static_cast<size_t>(range.end - range.begin)))
        .inputs;
  }

  CalibrationStore empty_store() const {
    const Shard shard = parse_shard(options_.shard);
    CalibrationStore store;
    store.units_total = static_cast<int64_t>(units_.size());
    store.units = mine_;
    store.shard = shard.index;
    store.shards = shard.count;
    return store;
  }

  void visit(BlockPass& pass) {
    const Topology& topology = model_->topology();
    std::vector<Id> sites;  // none of a finished block: it runs observed all the same
    for (size_t i = 0; i < topology.sites.size(); ++i) {
      if (topology.sites[i].block != pass.block() || pass.finished()) continue;
      sites.push_back(static_cast<Id>(i));
    }
    CalibrationObserver observer(topology, sites);
    if (pass.finished()) return pass.advance(&observer);
    const bool last = pass.block() + 1 == topology.blocks;
    if (last) {
      pass.observe(observer);
    } else {
      pass.advance(&observer);
    }
    CalibrationStore part = empty_store();
    part.sites = observer.take();
    save(part, block_file(pass.block()));
    stage_.finish(block_name(pass.block()));
  }

  const CalibrateOptions& options_;
  Context& context_;
  const Samples& samples_;
  StageDir& stage_;
  at::Device device_;
  std::unique_ptr<Model> model_;
  std::vector<int64_t> order_;
  std::vector<Unit> units_;
  std::vector<int64_t> mine_;
  std::unique_ptr<Executor> executor_;
};

void check(const SourceModel& model, const CalibrateOptions& options) {
  require_option(options.data, "data", "data to run the model on");
  require_option(options.out, "out", "a file to write");
  if (options.samples < 1 || options.length < 2 || options.unit < 1 || options.seed < 0) {
    throw UsageError(fmt::format("--samples {} --length {} --unit {} --seed {}", options.samples,
                                 options.length, options.unit, options.seed),
                     "samples and unit of at least 1, a length of at least 2, a seed of at least 0",
                     "see octet calibrate --help");
  }
  parse_dtype(options.dtype);
  if (model.config().quantized) {
    throw UsageError(fmt::format("{} is quantized already", options.model), "a float model",
                     "calibrate the checkpoint it was made from");
  }
}

void check_size(const SourceModel& model, const CalibrateOptions& options, const Samples& samples) {
  if (samples.size() >= options.samples) return;
  const bool text = task_kind(model.config()) == TaskKind::kLanguage;
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
  v.positional("MODEL", "a Hugging Face directory or a .gguf file with float weights", model);
  v.field("data",
          "data to run the model on: FILE, text:FILE, jsonl:FILE or choice:FILE; for translation "
          "models parallel:SRC,TGT or gettext:LANG[:DIR]; for image models idx:DIR or images:DIR",
          data);
  v.field("out", "HDF5 file to write", out);
  v.field("samples", "number of text windows, sentence pairs or images", samples);
  v.field("length", "tokens in a text window; longer sentences are cut off", length);
  v.field("unit", "samples in a batch, which is also the unit of sharding and resuming", unit);
  v.field("seed", "0 takes the first samples, any other value a random choice of them", seed);
  v.field("shard", "i/n: process every n-th unit, starting with unit i (see octet calib merge)",
          shard);
  v.field("dtype", "dtype to run the model in: float32, bfloat16 or float16", dtype);
  v.field("hidden-memory",
          "GiB of memory (and as much of a GPU's) for hidden states between blocks; the rest goes "
          "to disk. 0 keeps all on disk, where a kill loses none; a negative value takes a quarter "
          "of what is free",
          hidden_memory);
}

CalibrateResult calibrate(const SourceModel& model, const CalibrateOptions& options,
                          Context& context) {
  check(model, options);
  const Shard shard = parse_shard(options.shard);
  const auto samples = open_samples(model, options.data, Split::kTrain, options.length);
  const json key = provenance(model, options, samples->hash(), context.device);
  if (std::filesystem::exists(options.out)) {
    CalibrationStore stored = load_calibration(options.out);
    if (same_run(stored, key.dump(), shard)) {
      // A kill behind the last step leaves the working files.
      std::filesystem::remove_all(options.out + ".partial");
      return {std::move(stored), true};
    }
    throw UsageError(fmt::format("{} was made with other inputs or options ({})", options.out,
                                 stored.provenance),
                     key.dump(), "choose another --out or remove the file");
  }
  check_size(model, options, *samples);
  json staged = key;
  staged["shard"] = options.shard;
  StageDir stage(options.out, staged);
  const at::NoGradGuard no_gradients;
  CalibrateResult result;
  result.store = Calibration(model, options, context, *samples, stage).run();
  result.store.provenance = key.dump();
  save(result.store, options.out);
  stage.discard();
  return result;
}

}  // namespace octet
