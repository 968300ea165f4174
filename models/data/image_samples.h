// Images as the model of a directory reads them, with their classes.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "datasets/images/images.h"
#include "models/data/image_processor.h"
#include "models/data/samples.h"

namespace octet {

/// batch.inputs.pixels: float32 [B, C, H, W]; targets: int64 [B], classes of the model. Data whose
/// names of classes are all names of the model's is joined by name, other data by number; a label
/// outside the model's classes is an Error.
class ImageSamples : public Samples {
 public:
  /// processor_text: of preprocessor_config.json, a part of the hash.
  ImageSamples(std::unique_ptr<ImageSet> images, const ImageConfig& config,
               ImageProcessor processor, const std::string& processor_text);
  int64_t size() const override { return images_->size(); }
  int64_t length(int64_t) const override { return 1; }
  TaskBatch batch(std::span<const int64_t> indices) const override;
  bool positionwise() const override { return false; }
  std::string signature(int64_t used) const override;
  const std::string& hash() const override { return hash_; }

 private:
  std::unique_ptr<ImageSet> images_;
  ImageConfig config_;
  ImageProcessor processor_;
  std::vector<int64_t> targets_;
  std::string hash_;
};

std::unique_ptr<Samples> open_image_samples(const SourceModel& model, const std::string& data,
                                            Split split);

}  // namespace octet
