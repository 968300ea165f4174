// preprocessor_config.json: from an 8-bit image to the pixels a vision model reads, as
// transformers' ViTImageProcessor computes them on the CPU.
#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "models/config.h"
#include "models/data/image_resize.h"

namespace octet {

class ImageProcessor {
 public:
  /// `config` is the file's content and `what` its name. Missing fields have transformers' defaults
  /// (224 x 224, bilinear, 1/255, mean and deviation 1/2); channels are always converted to the
  /// model's, whatever do_convert_rgb says. Error for unsupported options (cropping, other filters,
  /// a shortest edge) and for a size other than the model's.
  ImageProcessor(const nlohmann::json& config, const std::string& what, const ImageConfig& image);

  /// float32 [C, H, W] at `out`: channels converted, resized, rescaled, normalized. Error for an
  /// image of another size where do_resize is off.
  void write(const Image& image, float* out) const;

 private:
  int64_t channels_, height_, width_;
  std::optional<Resample> resample_;            ///< nothing: no resizing
  std::vector<std::array<float, 256>> values_;  ///< by channel and 8-bit value
};

/// The processor of a model directory. Error if it has no preprocessor_config.json, because
/// different preprocessing would change results unnoticed.
ImageProcessor open_image_processor(const std::filesystem::path& model, const ImageConfig& image);

/// Text of a model's preprocessor_config.json; Error when there is none.
std::string image_processor_text(const std::filesystem::path& model);

}  // namespace octet
