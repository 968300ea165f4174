#include "models/data/image_processor.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/io/input_file.h"
#include "core/json.h"
#include "models/config_fields.h"

namespace octet {
namespace {

constexpr const char* kFile = "preprocessor_config.json";

using Values = std::vector<double>;

// One number for all channels, or one a channel.
Values by_channel(const ConfigFields& fields, const char* name, int64_t channels) {
  if (!fields.has(name)) return Values(channels, 0.5);
  const nlohmann::json& value = fields.get(name);
  const auto number = [&](const nlohmann::json& one) {
    if (!one.is_number()) fields.fail(fmt::format("{} = {}", name, value.dump()), "numbers");
    return one.get<double>();
  };
  if (!value.is_array()) return Values(channels, number(value));
  if (static_cast<int64_t>(value.size()) != channels) {
    fields.fail(fmt::format("{} of {} channels", name, value.size()),
                fmt::format("{}, as the model has", channels));
  }
  Values values;
  for (const auto& one : value) values.push_back(number(one));
  return values;
}

std::pair<int64_t, int64_t> target_size(const ConfigFields& fields) {
  if (!fields.has("size")) return {224, 224};
  const nlohmann::json& size = fields.get("size");
  if (!size.is_object()) return fields.height_and_width("size");
  const ConfigFields sides(size, "size of " + fields.what());
  if (!sides.has("height") || !sides.has("width")) {
    fields.fail("size = " + size.dump(), "\"height\" and \"width\"");
  }
  return {sides.size("height"), sides.size("width")};
}

Resample parse_resample(const ConfigFields& fields) {
  if (!fields.has("resample")) return Resample::kBilinear;
  const nlohmann::json& number = fields.get("resample");
  for (const Resample known : {Resample::kBilinear, Resample::kBicubic}) {
    if (number == static_cast<int>(known)) return known;
  }
  fields.fail("resample = " + number.dump(), "2 (bilinear) or 3 (bicubic)");
}

}  // namespace

ImageProcessor::ImageProcessor(const nlohmann::json& config, const std::string& what,
                               const ImageConfig& image)
    : channels_(image.channels), height_(image.height), width_(image.width) {
  const ConfigFields fields(config, what);
  for (const char* refused : {"do_center_crop", "do_pad"}) {
    if (fields.flag(refused, false)) fields.fail(fmt::format("{} = true", refused), "false");
  }
  if (fields.flag("do_resize", true)) {
    resample_ = parse_resample(fields);
    const auto [height, width] = target_size(fields);
    if (height != height_ || width != width_) {
      fields.fail(fmt::format("images resized to {} x {}", height, width),
                  fmt::format("{} x {}, which the model sees", height_, width_));
    }
  }
  const bool rescale = fields.flag("do_rescale", true),
             normalize = fields.flag("do_normalize", true);
  const double factor = !rescale                       ? 1
                        : fields.has("rescale_factor") ? fields.positive("rescale_factor")
                                                       : 1.0 / 255;
  const Values mean = by_channel(fields, "image_mean", channels_);
  const Values deviation = by_channel(fields, "image_std", channels_);
  values_.resize(channels_);
  for (int64_t c = 0; c < channels_; ++c) {
    const auto m = static_cast<float>(mean[c]), d = static_cast<float>(deviation[c]);
    if (normalize && !(d > 0)) fields.fail(fmt::format("image_std = {}", d), "more than 0");
    for (int v = 0; v < 256; ++v) {
      // The product in double, the rest in float, as numpy computes it there.
      const auto value = static_cast<float>(v * factor);
      values_[c][v] = normalize ? (value - m) / d : value;
    }
  }
}

void ImageProcessor::write(const Image& image, float* out) const {
  Image seen = with_channels(image, channels_);
  if (resample_) {
    seen = resize_image(seen, height_, width_, *resample_);
  } else if (seen.height != height_ || seen.width != width_) {
    throw Error(fmt::format("an image of {} x {}", seen.height, seen.width),
                fmt::format("{} x {}, which the model sees", height_, width_),
                fmt::format("resize the images, or set do_resize in {}", kFile));
  }
  const int64_t area = height_ * width_;
  for (int64_t c = 0; c < channels_; ++c) {
    for (int64_t i = 0; i < area; ++i) {
      out[c * area + i] = values_[c][seen.pixels[c * area + i]];
    }
  }
}

std::string image_processor_text(const std::filesystem::path& model) {
  const auto path = model / kFile;
  if (!std::filesystem::exists(path)) {
    throw Error(fmt::format("no {} in {}", kFile, model.string()),
                "how the model's images are resized and normalized",
                "fetch it from where the model comes from");
  }
  return read_file(path, uint64_t{1} << 24);
}

ImageProcessor open_image_processor(const std::filesystem::path& model, const ImageConfig& image) {
  const std::string path = (model / kFile).string();
  return {parse_json(image_processor_text(model), path), path, image};
}

}  // namespace octet
