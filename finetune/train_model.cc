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
#include "finetune/trainer.h"
#include "models/architectures/registry.h"
#include "models/parse_dtype.h"
#include "models/run/device.h"
#include "models/source_model.h"
#include "models/torch_dtype.h"
#include "models/weights/weight_sources.h"

namespace octet {
namespace {

constexpr const char* kCurve = "octet-train.json";

nlohmann::json stage_key(const SourceModel& source, const TrainModelOptions& options,
                         const TaskSamples& samples) {
  nlohmann::json key = to_json(options);
  for (const char* without_effect : {"out", "max-memory", "save-every", "plan"}) {
    key.erase(without_effect);
  }
  // A random start needs no weights.
  if (options.init == "random") {
    key["octet"] = kVersion;
    key["config"] = source.config_text();
  } else {
    key.update(input_identity(source, ""));
  }
  key.update(samples_identity(samples));
  return key;
}

std::shared_ptr<WeightSource> start(const SourceModel& source, const TrainModelOptions& options,
                                    const Topology& topology) {
  if (options.init == "weights") return source.weights();
  if (options.init != "random") {
    throw UsageError(fmt::format("--init {}", options.init), "random or weights",
                     "weights goes on from the checkpoint in MODEL");
  }
  return initial_weights(topology, source.config(), static_cast<uint64_t>(options.trainer.seed),
                         options.deviation);
}

// Names, dtypes and shapes of tensors whose values training gives.
class TrainedAnew : public TensorSource {
 public:
  explicit TrainedAnew(std::vector<TensorInfo> infos) {
    for (TensorInfo& info : infos) add(std::move(info));
  }
  std::shared_ptr<const TensorReader> open(const std::string& name) override {
    throw Error(fmt::format("no trained values of tensor {}", name), "every tensor of the model",
                "this is a defect in octet: please report it");
  }
};

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
  job.source = std::make_shared<TrainedAnew>(std::move(infos));
  return job;
}

void write_result(const SourceModel& source, const TrainModelOptions& options, StageDir& stage,
                  const Topology& topology, Executor& executor, const FinetuneResult& result,
                  Context& context) {
  write_curve(stage.path() / kCurve, result, options);
  QuantizeJob job = plain_job(topology, source.config());
  TrainedTensors tensors = trained_tensors(job, topology, executor, executor.parameters());
  StreamOptions limits;
  limits.max_memory = memory_use().resident + static_cast<uint64_t>(options.max_memory * 0x1p30);
  write_checkpoint(stage, source, *tensors.source, tensors.items, source.config_text(), limits,
                   kTrainFolder, context);
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
    throw UsageError(fmt::format("data {}", data),
                     "other data: there is no float model to generate it",
                     "self:N works only with octet finetune");
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
  v.positional(
      "MODEL",
      "a directory with config.json and a tokenizer; with --init weights also with weights", model);
  v.field("init", "random, or weights to start from those in MODEL", init);
  v.field(
      "deviation",
      "standard deviation of random weights; 0 chooses by architecture (Glorot for translation, "
      "otherwise 0.02)",
      deviation);
  visit_data(v);
  trainer.visit(v);
  v.field("out", "directory to write", out);
  v.field("max-memory", "memory for writing the result, beside what training holds, in GiB",
          max_memory);
  v.field("plan", "print the memory that training needs, and exit", plan);
}

FinetuneResult train_model(const SourceModel& source, const TrainModelOptions& options,
                           const ProcessGroupOptions& process_group_options, Context& context) {
  const ModelConfig& config = source.config();
  check(options, config);
  const auto model = make_model(config);
  FinetuneResult result;
  result.memory = memory_of(options, model->topology());
  if (options.plan) return result;
  result.directory = options.out;
  TaskSamples samples = open_task_samples(source, options);
  const nlohmann::json key = stage_key(source, options, samples);
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
  Executor executor(model->topology(), start(source, options, model->topology()),
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
    write_result(source, options, *stage.directory(), model->topology(), executor, result, context);
    stage.remove_leftovers();
  }
  return result;
}

}  // namespace octet
