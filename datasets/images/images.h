// Images with a class each.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "datasets/data_spec.h"

namespace octet {

/// 8-bit samples, channel by channel: pixels[(c * height + y) * width + x].
struct Image {
  int64_t channels = 0, height = 0, width = 0;
  std::vector<uint8_t> pixels;
};

class ImageSet {
 public:
  virtual ~ImageSet() = default;
  virtual int64_t size() const = 0;
  virtual Image image(int64_t i) const = 0;  ///< Error for a broken file, naming it
  virtual int64_t label(int64_t i) const = 0;
  virtual const std::vector<std::string>& classes() const = 0;  ///< names by label
  virtual const std::string& hash() const = 0;                  ///< SHA-256 of the content
};

/// All images of DATA: `idx:IMAGES,LABELS` or `idx:DIR` (files named as MNIST's), `images:DIR` (a
/// folder of JPEG and PNG files per class). `split` is taken of data that has splits and names
/// none. Error for a label outside the classes, an empty set, files of different length.
std::unique_ptr<ImageSet> open_images(const std::string& data, Split split);

}  // namespace octet
