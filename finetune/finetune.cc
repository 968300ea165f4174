#include "finetune/finetune.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "eval/memory.h"
#include "finetune/initial_weights.h"
#include "finetune/memory_plan.h"
#include "finetune/stage.h"
#include "finetune/trained_tensors.h"
#include "models/device.h"
#include "models/open.h"
#include "quant/export/quantization_config.h"
#include "quant/fake_quant.h"
#include "quant/quantize_job.h"

namespace octet {
namespace {

constexpr const char* kCurve = "octet-finetune.json";

at::ScalarType scalar_type(cpu::FloatType type) {
  if (type == cpu::FloatType::kF32) return at::kFloat;
  return type == cpu::FloatType::kF16 ? at::kHalf : at::kBFloat16;
}

nlohmann::json stage_key(const FinetuneOptions& options, const SampledTask& task) {
  nlohmann::json key = to_json(options);
  for (const char* without_effect : {"out", "max-memory", "save-every", "plan"}) {
    key.erase(without_effect);
  }
  key.update(input_identity(options.quantize.model, options.quantize.calib));
  key.update(data_identity(task));
  return key;
}

// Student and teacher over the same source.
struct Models {
  std::unique_ptr<Model> model;
  std::unique_ptr<Executor> student, teacher;
};

Models open_models(const FinetuneOptions& options, const QuantizeJob& job, const Context& context) {
  const at::Device device = open_device(context.device);
  FakeQuantOptions fake;
  fake.scale_type = scalar_type(job.scale_type);
  fake.learn_scales = options.learn_scales;
  fake.compute = options.trainer.precision == "bfloat16" ? at::kBFloat16 : at::kFloat;
  fake.device = device;
  Models models;
  models.model = make_model(open_config(options.quantize.model));
  const auto source = open_weights(options.quantize.model);
  const ExecutorOptions execution{at::kFloat, device, false};
  const Topology& topology = models.model->topology();
  models.student =
      std::make_unique<Executor>(topology, source, fake_quant_factory(job.plan, fake), execution);
  models.student->load_all();
  models.teacher =
      std::make_unique<Executor>(topology, source, float_factory(at::kFloat, device), execution);
  models.teacher->load_all();
  return models;
}

// The leaves of fake-quantized sites, or all.
std::vector<Parameter> chosen(const FinetuneOptions& options, Models& models) {
  if (options.tune == "all") return trainable(models.student->parameters());
  if (options.tune != "linears") {
    throw UsageError(fmt::format("--tune {}", options.tune), "linears or all",
                     "linears keeps embeddings, norms and head as they are");
  }
  std::vector<Parameter> leaves;
  const size_t sites = models.model->topology().sites.size();
  for (size_t s = 0; s < sites; ++s) {
    Linear& linear = models.student->linear_of(static_cast<Id>(s));
    if (dynamic_cast<FakeQuantLinear*>(&linear) != nullptr) linear.parameters(leaves);
  }
  return leaves;
}

MemoryPlan memory_of(const FinetuneOptions& options, const QuantizeJob& job) {
  const auto model = make_model(open_config(options.quantize.model));
  MemoryQuestion question;
  question.all = parameter_count(model->topology());
  for (const ModulePlan& module : job.plan) {
    if (module.quantized()) question.coded += module.n * module.k;
  }
  question.trained = options.tune == "all" ? question.all : question.coded;
  question.teacher = true;
  question.bfloat16 = options.trainer.precision == "bfloat16";
  question.tokens = options.largest_batch();
  return plan_memory(model->topology(), question);
}

std::string verdict(const FinetuneOptions& options, TaskKind kind, const TrainResult& result) {
  const double before = result.eval[0].kl, after = result.eval[result.best].kl;
  const Wording words = wording(kind);
  if (result.steps == 0 && options.trainer.steps > 0) {
    return fmt::format(
        "nothing to be won: quantization alone has a mean KL of {:.6f} nats {} on unseen {}, not "
        "above --enough {}; written untrained",
        before, words.unit, words.unseen, options.enough);
  }
  if (result.best == 0) {
    return fmt::format(
        "no evaluation was better than quantization alone (mean KL {:.6f} nats {} on unseen {}); "
        "written untrained",
        before, words.unit, words.unseen);
  }
  return fmt::format(
      "mean KL on unseen {} {:.6f} -> {:.6f} nats {} ({:+.0f} %), best after step {}", words.unseen,
      before, after, words.unit, 100 * (after / before - 1), result.eval[result.best].step);
}

void write_result(const FinetuneOptions& options, StageDir& stage, QuantizeJob& job, Models& models,
                  const std::vector<Parameter>& leaves, const FinetuneResult& result,
                  Context& context) {
  write_curve(stage.path() / kCurve, result, options);
  TrainedTensors tensors = trained_tensors(job, models.model->topology(), *models.student, leaves);
  StreamOptions limits;
  // What is trained stays in memory meanwhile.
  limits.max_memory =
      memory_use().resident + static_cast<uint64_t>(options.quantize.max_memory * 0x1p30);
  write_checkpoint(stage, options.quantize.model, *tensors.source, tensors.items,
                   quantized_config(config_text(options.quantize.model), job.plan), limits,
                   kTrainState, context);
}

}  // namespace

void FinetuneOptions::visit(OptionVisitor& v) {
  quantize.visit(v);
  visit_data(v);
  v.field("tune", "linears (the quantized layers alone) or all (embeddings, norms, head, too)",
          tune);
  v.field("learn-scales", "learn the scales of weights and static activations, too", learn_scales);
  v.field("enough", "mean KL in nats on --eval-data up to which nothing is trained", enough);
  trainer.visit(v);
  v.field("plan", "print the memory that the run needs, and stop", plan);
}

FinetuneResult finetune(const FinetuneOptions& options, const WorldOptions& world_options,
                        Context& context) {
  FinetuneResult result;
  QuantizeJob job = make_job(options.quantize);
  result.memory = memory_of(options, job);
  if (options.plan) return result;
  result.directory = options.quantize.out;
  const SampledTask task =
      open_task(options.quantize.model, options, static_cast<uint64_t>(options.trainer.seed));
  const std::unique_ptr<World> world = join_world(world_options);
  TrainStage stage(options.quantize.out, stage_key(options, task), *world);
  result.reused = stage.complete();
  if (result.reused) {
    result.verdict = stage.finished_verdict(kCurve);
    return result;
  }
  Models models = open_models(options, job, context);
  TrainSetup setup;
  setup.student = {models.model.get(), models.student.get()};
  setup.teacher = {models.model.get(), models.teacher.get()};
  setup.parameters = chosen(options, models);
  setup.task = &task;
  setup.world = world.get();
  setup.folder = stage.folder();
  setup.worth_training = [&](const CurvePoint& start) { return start.kl > options.enough; };
  result.training = train(setup, options.trainer, context);
  result.verdict =
      verdict(options, task_kind(open_config(options.quantize.model)), result.training);
  if (stage.directory() != nullptr) {
    write_result(options, *stage.directory(), job, models, setup.parameters, result, context);
    stage.remove_leftovers();
  }
  return result;
}

}  // namespace octet
