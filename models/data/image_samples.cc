#include "models/data/image_samples.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "core/hash.h"
#include "models/source_model.h"

namespace octet {
namespace {

// The model's class of each class of the data.
std::vector<int64_t> joined_classes(const std::vector<std::string>& data,
                                    const std::vector<std::string>& model) {
  std::vector<int64_t> by_name, by_number;
  for (size_t i = 0; i < data.size(); ++i) {
    by_number.push_back(static_cast<int64_t>(i));
    const auto found = std::ranges::find(model, data[i]);
    if (found != model.end()) by_name.push_back(found - model.begin());
  }
  return by_name.size() == data.size() ? by_name : by_number;
}

}  // namespace

ImageSamples::ImageSamples(std::unique_ptr<ImageSet> images, const ImageConfig& config,
                           ImageProcessor processor, const std::string& processor_text)
    : images_(std::move(images)),
      config_(config),
      processor_(std::move(processor)),
      hash_(sha256(images_->hash() + processor_text)) {
  const auto classes = joined_classes(images_->classes(), config_.labels);
  for (int64_t i = 0; i < images_->size(); ++i) {
    const int64_t label = images_->label(i);
    const bool named = label >= 0 && label < std::ssize(classes);
    const int64_t target = named ? classes[label] : label;
    if (target < 0 || target >= std::ssize(config_.labels)) {
      throw Error(fmt::format("label {} of image {}", label, i),
                  fmt::format("0..{}, the classes of the model", config_.labels.size() - 1),
                  "give data of the classes that the model tells apart");
    }
    targets_.push_back(target);
  }
}

std::string ImageSamples::signature(int64_t used) const {
  return fmt::format("images:{}/{}", used, size());
}

TaskBatch ImageSamples::batch(std::span<const int64_t> indices) const {
  const auto rows = std::ssize(indices);
  TaskBatch batch;
  batch.inputs.pixels = at::empty({rows, config_.channels, config_.height, config_.width});
  batch.targets = at::empty({rows}, at::kLong);
  auto* pixels = batch.inputs.pixels.data_ptr<float>();
  auto* targets = batch.targets.data_ptr<int64_t>();
  const int64_t size = config_.channels * config_.height * config_.width;
  at::parallel_for(0, rows, 8, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t i = indices[static_cast<size_t>(r)];
      processor_.write(images_->image(i), pixels + r * size);
      targets[r] = targets_[static_cast<size_t>(i)];
    }
  });
  return batch;
}

std::unique_ptr<Samples> open_image_samples(const SourceModel& model, const std::string& data,
                                            Split split) {
  const ImageConfig& image = model.config().image.value();
  const std::string text = image_processor_text(model.path());
  return std::make_unique<ImageSamples>(open_images(data, split), image,
                                        open_image_processor(model.path(), image), text);
}

}  // namespace octet
