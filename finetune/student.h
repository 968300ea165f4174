// The two models of fine-tuning, over the same weights.
#pragma once
#include <memory>
#include <vector>

#include "core/context.h"
#include "finetune/finetune.h"
#include "finetune/losses.h"
#include "finetune/optimizer.h"
#include "finetune/stage.h"
#include "quant/quantize_job.h"

namespace octet {

/// The student is fake-quantized, the teacher float. Both run without dropout, so that they differ
/// only by the effect of quantization.
struct StudentAndTeacher {
  std::unique_ptr<Model> model;
  std::unique_ptr<Executor> student, teacher;
  Runner student_runner() const { return {model.get(), student.get()}; }
  Runner teacher_runner() const { return {model.get(), teacher.get()}; }
};

/// With nothing loaded yet.
StudentAndTeacher open_models(const SourceModel& source, const FinetuneOptions& options,
                              const QuantizeJob& job, at::Device device);

/// The leaves of a student loaded whole that --tune chooses: those of fake-quantized sites, or all.
std::vector<Parameter> chosen_leaves(const FinetuneOptions& options, StudentAndTeacher& models);
/// Those of fake-quantized sites of one block.
std::vector<Parameter> block_leaves(StudentAndTeacher& models, int block);

/// Samples that the float model has to write itself (DATA self:N), in `folder`. UsageError where it
/// is no language model.
void write_self_text(const SourceModel& source, const FinetuneOptions& options,
                     StudentAndTeacher& models, TaskSamples& samples,
                     const std::filesystem::path& folder, ProcessGroup& process_group,
                     Context& context);

}  // namespace octet
