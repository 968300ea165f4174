#include "finetune/student.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/error.h"
#include "finetune/initial_weights.h"
#include "finetune/self_text.h"
#include "models/source_model.h"
#include "quant/linears/fake_quant.h"
#include "text/tokenizers/tokenizer.h"

namespace octet {
namespace {

ModelConfig without_dropout(ModelConfig config) {
  config.dropout = config.attention_dropout = 0;
  return config;
}

void quantized_leaves(StudentAndTeacher& models, Id site, std::vector<Parameter>& leaves) {
  Linear& linear = models.student->linear_of(site);
  if (dynamic_cast<FakeQuantLinear*>(&linear) != nullptr) linear.parameters(leaves);
}

}  // namespace

StudentAndTeacher open_models(const SourceModel& source, const FinetuneOptions& options,
                              const QuantizeJob& job, at::Device device) {
  FakeQuantOptions fake;
  fake.scale_type = job.scale_type;
  fake.learn_scales = options.learn_scales;
  fake.compute = options.trainer.precision == "bfloat16" ? at::kBFloat16 : at::kFloat;
  fake.device = device;
  StudentAndTeacher models;
  models.model = make_model(without_dropout(source.config()));
  const auto weights = source.weights();
  const ExecutorOptions execution{at::kFloat, device, false};
  const Topology& topology = models.model->topology();
  models.student =
      std::make_unique<Executor>(topology, weights, fake_quant_factory(job.plan, fake), execution);
  models.teacher =
      std::make_unique<Executor>(topology, weights, float_factory(at::kFloat, device), execution);
  return models;
}

std::vector<Parameter> chosen_leaves(const FinetuneOptions& options, StudentAndTeacher& models) {
  if (options.tune == "all") return trainable(models.student->parameters());
  std::vector<Parameter> leaves;
  const size_t sites = models.model->topology().sites.size();
  for (size_t s = 0; s < sites; ++s) quantized_leaves(models, static_cast<Id>(s), leaves);
  return leaves;
}

std::vector<Parameter> block_leaves(StudentAndTeacher& models, int block) {
  const std::vector<Site>& sites = models.model->topology().sites;
  std::vector<Parameter> leaves;
  for (size_t s = 0; s < sites.size(); ++s) {
    if (sites[s].block == block) quantized_leaves(models, static_cast<Id>(s), leaves);
  }
  return leaves;
}

void write_self_text(const SourceModel& source, const FinetuneOptions& options,
                     StudentAndTeacher& models, TaskSamples& samples,
                     const std::filesystem::path& folder, ProcessGroup& process_group,
                     Context& context) {
  const Tokenizer& tokenizer = source.tokenizer();
  models.teacher->load_all();
  SelfTextOptions self;
  self.length = options.length;
  self.seed = static_cast<uint64_t>(options.trainer.seed);
  if (tokenizer.adds_bos() && tokenizer.bos()) self.bos = *tokenizer.bos();
  const auto write = [&](const char* purpose, const std::string& data) {
    self.purpose = purpose;
    self.windows = *self_windows(data);
    return self_text(models.teacher_runner(), self, folder, process_group, context);
  };
  if (!samples.train) samples.train = write("train", options.data);
  if (!samples.eval) samples.eval = write("eval", options.eval_data);
  if (!options.blockwise) return;
  const int blocks = models.model->topology().blocks;
  for (int block = kOutside; block < blocks; ++block) models.teacher->release(block);
}

}  // namespace octet
