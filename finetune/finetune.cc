#include "finetune/finetune.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.h"
#include "eval/memory.h"
#include "finetune/blockwise.h"
#include "finetune/memory_plan.h"
#include "finetune/stage.h"
#include "finetune/student.h"
#include "finetune/trained_tensors.h"
#include "finetune/trainer.h"
#include "models/architectures/registry.h"
#include "models/run/device.h"
#include "models/source_model.h"
#include "quant/formats/compressed_tensors/quantization_config.h"
#include "quant/quantize_job.h"

namespace octet {
namespace {

constexpr const char* kCurve = "octet-finetune.json";

nlohmann::json stage_key(const SourceModel& source, const FinetuneOptions& options,
                         const TaskSamples& samples) {
  nlohmann::json key = to_json(options);
  for (const char* without_effect : {"out", "max-memory", "save-every", "plan"}) {
    key.erase(without_effect);
  }
  key.update(input_identity(source, options.quantize.calib));
  key.update(samples_identity(samples));
  return key;
}

MemoryPlan memory_of(const SourceModel& source, const FinetuneOptions& options,
                     const QuantizeJob& job) {
  const auto model = make_model(source.config());
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
        "no training needed: quantization alone has a mean KL of {:.6f} nats {} on unseen {}, not "
        "above --min-kl {}; written untrained",
        before, words.unit, words.unseen, options.min_kl);
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

void write_result(const SourceModel& source, const FinetuneOptions& options, StageDir& stage,
                  QuantizeJob& job, StudentAndTeacher& models, const std::vector<Parameter>& leaves,
                  const FinetuneResult& result, Context& context) {
  write_curve(stage.path() / kCurve, result, options);
  TrainedTensors tensors = trained_tensors(job, models.model->topology(), *models.student, leaves);
  StreamOptions limits;
  // What is trained stays in memory meanwhile.
  limits.max_memory =
      memory_use().resident + static_cast<uint64_t>(options.quantize.max_memory * 0x1p30);
  write_checkpoint(stage, source, *tensors.source, tensors.items,
                   quantized_config(source.config_text(), job.plan), limits, kTrainFolder, context);
}

std::vector<Parameter> tune_whole(const FinetuneOptions& options, StudentAndTeacher& models,
                                  const SampledTask& task, ProcessGroup& process_group,
                                  const TrainStage& stage, FinetuneResult& result,
                                  Context& context) {
  models.student->load_all();
  models.teacher->load_all();
  TrainSetup setup;
  setup.student = models.student_runner();
  setup.teacher = models.teacher_runner();
  setup.parameters = chosen_leaves(options, models);
  setup.task = &task;
  setup.process_group = &process_group;
  setup.folder = stage.folder();
  setup.worth_training = [&](const CurvePoint& start) { return start.kl > options.min_kl; };
  result.training = train(setup, options.trainer, context);
  return setup.parameters;
}

std::vector<Parameter> tune_blocks(const FinetuneOptions& options, StudentAndTeacher& models,
                                   const SampledTask& task, ProcessGroup& process_group,
                                   const TrainStage& stage, FinetuneResult& result,
                                   Context& context) {
  BlockwiseSetup setup;
  setup.student = models.student_runner();
  setup.teacher = models.teacher_runner();
  setup.leaves = [&](int block) { return block_leaves(models, block); };
  setup.task = &task;
  setup.process_group = &process_group;
  setup.folder = stage.folder() / kTrainFolder;
  setup.budget = memory_budget(models.student->options().device, process_group.size());
  setup.min_kl = options.min_kl;
  BlockwiseResult tuned = tune_blockwise(setup, options.trainer, context);
  result.training = std::move(tuned.training);
  result.blocks = std::move(tuned.blocks);
  models.student->load_all();
  if (result.training.best > 0) load_tuned_blocks(setup);
  return chosen_leaves(options, models);
}

void check(const FinetuneOptions& options) {
  if (options.tune != "linears" && options.tune != "all") {
    throw UsageError(fmt::format("--tune {}", options.tune), "linears or all",
                     "linears keeps embeddings, norms and head as they are");
  }
  parse_loss(options.trainer.loss);
  check_trainer(options.trainer);
  if (options.blockwise && options.tune == "all") {
    throw UsageError("--blockwise with --tune all", "--tune linears",
                     "tables, norms and head belong to no block");
  }
}

}  // namespace

void FinetuneOptions::visit(OptionVisitor& v) {
  quantize.visit(v);
  visit_data(v);
  v.field("tune",
          "what to train: linears (only the quantized layers) or all (also embeddings, norms and "
          "head)",
          tune);
  v.field("learn-scales", "also train the scales of weights and static activations", learn_scales);
  v.field("blockwise",
          "tune one block at a time towards the output of the float block; --steps, --warmup and "
          "--eval-every then apply to each block",
          blockwise);
  v.field("min-kl", "skip training if the mean KL on --eval-data is already below this, in nats",
          min_kl);
  v.former_name("enough", "min-kl");
  trainer.visit(v);
  v.field("plan", "print the memory that training needs, and exit", plan);
}

FinetuneResult finetune(const SourceModel& source, const FinetuneOptions& options,
                        const ProcessGroupOptions& process_group_options, Context& context) {
  check(options);
  FinetuneResult result;
  QuantizeJob job = make_job(source, options.quantize, context.log);
  result.memory = memory_of(source, options, job);
  if (options.plan) return result;
  result.directory = options.quantize.out;
  TaskSamples samples = open_task_samples(source, options);
  const nlohmann::json key = stage_key(source, options, samples);
  std::optional<SampledTask> task;  // now, if it can be: what is wrong with it is said first
  const auto seed = static_cast<uint64_t>(options.trainer.seed);
  if (samples.train && samples.eval) task.emplace(make_task(std::move(samples), options, seed));
  const at::Device device = open_device(context.device);
  const std::unique_ptr<ProcessGroup> process_group =
      join_process_group(process_group_options, device);
  TrainStage stage(options.quantize.out, key, *process_group);
  result.reused = stage.complete();
  if (result.reused) {
    result.verdict = stage.finished_verdict(kCurve);
    return result;
  }
  StudentAndTeacher models = open_models(source, options, job, device);
  if (!task) {
    write_self_text(source, options, models, samples, stage.folder() / kTrainFolder, *process_group,
                    context);
    task.emplace(make_task(std::move(samples), options, seed));
  }
  const std::vector<Parameter> leaves =
      options.blockwise
          ? tune_blocks(options, models, *task, *process_group, stage, result, context)
          : tune_whole(options, models, *task, *process_group, stage, result, context);
  result.verdict = verdict(options, task_kind(source.config()), result.training);
  if (stage.directory() != nullptr) {
    write_result(source, options, *stage.directory(), job, models, leaves, result, context);
    stage.remove_leftovers();
  }
  return result;
}

}  // namespace octet
