#include "finetune/train_model.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/version.h"
#include "eval/memory.h"
#include "finetune/initial_weights.h"
#include "finetune/memory_plan.h"
#include "finetune/self_text.h"
#include "finetune/stage.h"
#include "finetune/trained_tensors.h"
#include "models/open.h"
#include "models/parse_dtype.h"
#include "models/run/device.h"
#include "models/torch_dtype.h"
#include "models/weights/weight_sources.h"

namespace octet {
namespace {

constexpr const char* kCurve = "octet-train.json";

nlohmann::json stage_key(const TrainModelOptions& options, const TaskSamples& samples) {
  nlohmann::json key = to_json(options);
  for (const char* without_effect : {"out", "max-memory", "save-every", "plan"}) {
    key.erase(without_effect);
  }
  // A random start needs no weights.
  if (options.init == "random") {
    key["octet"] = kVersion;
    key["config"] = config_text(options.model);
  } else {
    key.update(input_identity(options.model, ""));
  }
  key.update(samples_identity(samples));
  return key;
}

std::shared_ptr<WeightSource> start(const TrainModelOptions& options, const ModelConfig& config,
                                    const Topology& topology) {
  if (options.init == "weights") return open_weights(options.model);
  if (options.init != "random") {
    throw UsageError(fmt::format("--init {}", options.init), "random or weights",
                     "weights goes on from the checkpoint in MODEL");
  }
  return initial_weights(topology, config, static_cast<uint64_t>(options.trainer.seed),
                         options.deviation);
}

// Every tensor of the topology in the dtype that config.json names, float16 where it names none.
QuantizeJob plain_job(const Topology& topology, const ModelConfig& config) {
  const at::ScalarType type = config.dtype.empty() ? at::kHalf : parse_dtype(config.dtype);
  std::vector<TensorInfo> infos;
  const auto add = [&](const std::string& name, std::vector<int64_t> shape) {
    infos.push_back({name, container_dtype(type), std::move(shape)});
  };
  for (const Table& table : topology.tables) add(table.name, table.shape());
  for (const Norm& norm : topology.norms) {
    add(norm.name + ".weight", {norm.dim});
    if (!norm.rms) add(norm.name + ".bias", {norm.dim});
  }
  for (const Site& site : topology.sites) {
    for (const Matrix& matrix : site.matrices) {
      if (site.tied_to.empty()) add(matrix.name + ".weight", {matrix.n, matrix.k});
      if (matrix.bias) add(matrix.name + ".bias", {matrix.n});
    }
  }
  QuantizeJob job;
  job.source = std::make_unique<LoadedTensors>(nullptr, std::move(infos));
  return job;
}

void write_result(const TrainModelOptions& options, StageDir& stage, const ModelConfig& config,
                  const Topology& topology, Executor& executor, const FinetuneResult& result,
                  Context& context) {
  write_curve(stage.path() / kCurve, result, options);
  QuantizeJob job = plain_job(topology, config);
  TrainedTensors tensors = trained_tensors(job, topology, executor, executor.parameters());
  StreamOptions limits;
  limits.max_memory = memory_use().resident + static_cast<uint64_t>(options.max_memory * 0x1p30);
  write_checkpoint(stage, options.model, *tensors.source, tensors.items, config_text(options.model),
                   limits, kTrainFolder, context);
}

MemoryPlan memory_of(const TrainModelOptions& options, const Topology& topology) {
  MemoryQuestion question;
  question.all = question.trained = parameter_count(topology);
  question.tokens = options.largest_batch();
  return plan_memory(topology, question);
}

void check(const TrainModelOptions& options, const ModelConfig& config) {
  if (options.trainer.loss != "ce") {
    throw UsageError(fmt::format("--loss {}", options.trainer.loss),
                     "ce: there is no teacher to diverge from",
                     "use octet finetune to train towards a float model");
  }
  for (const std::string& data : {options.data, options.eval_data}) {
    if (!self_windows(data)) continue;
    throw UsageError(fmt::format("data {}", data), "data from elsewhere: nobody teaches here",
                     "self:N serves octet finetune");
  }
  if (!config.quantized) return;
  throw UsageError(fmt::format("{} is quantized", options.model), "a float model",
                   "train the checkpoint it was made from");
}

}  // namespace

TrainModelOptions::TrainModelOptions() {
  batch = 8;
  trainer.loss = "ce", trainer.lr = 3e-4, trainer.weight_decay = 0.01;
  trainer.warmup = 100, trainer.steps = 2000, trainer.eval_every = 200, trainer.save_every = 200;
}

void TrainModelOptions::visit(OptionVisitor& v) {
  v.positional("MODEL", "a directory with config.json and a tokenizer; weights only with --init",
               model);
  v.field("init", "random, or weights to go on from those in MODEL", init);
  v.field("deviation",
          "of random weights; 0: as suits the architecture (Glorot's for translation, else 0.02)",
          deviation);
  visit_data(v);
  trainer.visit(v);
  v.field("out", "directory to write", out);
  v.field("max-memory", "GiB that writing may use beside what is trained", max_memory);
  v.field("plan", "print the memory that the run needs, and stop", plan);
}

FinetuneResult train_model(const TrainModelOptions& options,
                           const ProcessGroupOptions& process_group_options, Context& context) {
  const ModelConfig config = open_config(options.model);
  check(options, config);
  const auto model = make_model(config);
  FinetuneResult result;
  result.memory = memory_of(options, model->topology());
  if (options.plan) return result;
  result.directory = options.out;
  TaskSamples samples = open_task_samples(options.model, options);
  const nlohmann::json key = stage_key(options, samples);
  const SampledTask task =
      make_task(std::move(samples), options, static_cast<uint64_t>(options.trainer.seed));
  const at::Device device = open_device(context.device);
  const std::unique_ptr<ProcessGroup> process_group =
      join_process_group(process_group_options, device);
  TrainStage stage(options.out, key, *process_group);
  result.reused = stage.complete();
  if (result.reused) {
    result.verdict = stage.finished_verdict(kCurve);
    return result;
  }
  Executor executor(model->topology(), start(options, config, model->topology()),
                    float_factory(at::kFloat, device), {at::kFloat, device, false});
  executor.load_all();
  TrainSetup setup;
  setup.student = {model.get(), &executor};
  setup.parameters = trainable(executor.parameters());
  setup.task = &task;
  setup.process_group = process_group.get();
  setup.folder = stage.folder();
  result.training = train(setup, options.trainer, context);
  const Wording words = wording(task_kind(config));
  const CurvePoint& best = result.training.eval[result.training.best];
  result.verdict =
      fmt::format("nll on unseen {} {:.4f} -> {:.4f} nats {}, best after step {}", words.unseen,
                  result.training.eval[0].nll, best.nll, words.unit, best.step);
  if (stage.directory() != nullptr) {
    write_result(options, *stage.directory(), config, model->topology(), executor, result, context);
    stage.remove_leftovers();
  }
  return result;
}

}  // namespace octet
