#include "finetune/sampled_task.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "core/random.h"

namespace octet {
namespace {

std::vector<int64_t> lengths_of(const Samples& samples, int64_t count) {
  std::vector<int64_t> lengths;
  for (int64_t i = 0; i < count; ++i) lengths.push_back(samples.length(i));
  return lengths;
}

}  // namespace

SampledTask::SampledTask(std::unique_ptr<Samples> train, std::unique_ptr<Samples> eval,
                         const BatchOptions& limits, int64_t eval_samples,
                         const Augmentation& augmentation)
    : train_(std::move(train)),
      eval_(std::move(eval)),
      seed_(limits.seed),
      augmentation_(augmentation) {
  const int64_t scored = eval_samples > 0 ? std::min(eval_samples, eval_->size()) : eval_->size();
  eval_batches_ = sequential_batches(lengths_of(*eval_, scored), limits);
  const std::vector<int64_t> lengths = lengths_of(*train_, train_->size());
  const auto [least, most] = std::minmax_element(lengths.begin(), lengths.end());
  sampler_ = std::make_unique<BatchSampler>(lengths, limits);  // checks lengths and limits
  if (*least == *most) {
    sampler_.reset();
    const int64_t fit = limits.max_tokens > 0 ? limits.max_tokens / std::max<int64_t>(1, *most)
                                              : limits.max_samples;
    batch_ = limits.max_samples > 0 ? std::min(fit, limits.max_samples) : fit;
  }
  if (batch_ > train_->size()) {
    throw Error(fmt::format("{} samples in a batch", batch_),
                fmt::format("1..{}, the samples to train on", train_->size()),
                "give more data, shorter windows or a smaller --batch");
  }
}

std::vector<int64_t> SampledTask::members(uint64_t index) const {
  if (sampler_) return sampler_->batch(index);
  const auto size = static_cast<uint64_t>(train_->size()), batch = static_cast<uint64_t>(batch_);
  std::vector<int64_t> members;
  for (uint64_t position = index * batch; position < (index + 1) * batch; ++position) {
    if (epoch_ != position / size) {
      epoch_ = position / size;
      order_ = Random(seed_, fmt::format("epoch {}", epoch_)).permutation(size);
    }
    members.push_back(static_cast<int64_t>(order_[position % size]));
  }
  return members;
}

uint64_t SampledTask::train_batches() const {
  if (sampler_) return sampler_->batches_per_epoch();
  return static_cast<uint64_t>((train_->size() + batch_ - 1) / batch_);
}

TaskBatch SampledTask::train(uint64_t index) const {
  TaskBatch batch = train_->batch(members(index));
  if (augmentation_.any() && batch.inputs.pixels.defined()) {
    batch.inputs.pixels = augment(batch.inputs.pixels, augmentation_, seed_, index);
  }
  return batch;
}

TaskBatch SampledTask::eval(int64_t index) const {
  return eval_->batch(eval_batches_[static_cast<size_t>(index)]);
}

}  // namespace octet
