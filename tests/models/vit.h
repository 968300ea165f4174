// Toy vision models and what transformers computes from them, shared by the tests of several rooms.
#pragma once
#include <ATen/ATen.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>

#include "core/containers/safetensors.h"
#include "datasets/images/images.h"
#include "models/torch_dtype.h"
#include "models/weights/weight_sources.h"
#include "tests/environment.h"
#include "tests/tools/support.h"

namespace octet::test {

/// Tensors of one safetensors file, read one at a time.
class TensorFile {
 public:
  explicit TensorFile(const std::filesystem::path& path) : file_(path) {}
  at::Tensor operator[](const std::string& name) const {
    const auto& entry = file_.entries().at(name);
    at::Tensor tensor = at::empty(entry.info.shape, torch_dtype(entry.info.dtype, name));
    file_.read(entry, {static_cast<std::byte*>(tensor.data_ptr()), tensor.nbytes()});
    return tensor;
  }

 private:
  SafetensorsFile file_;
};

/// What vit_oracle.py makes with `command`, once for the whole process.
class VitFolder {
 public:
  explicit VitFolder(const std::string& command)
      : path_(std::filesystem::path(testing::TempDir()) /
              ("octet-vit-" + command + "-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(path_);
    const Output output = shell(python_binary() + " " + source_dir() +
                                "/tests/models/vit_oracle.py " + command + " " + path_.string());
    if (output.code != 0) throw std::runtime_error(output.text);
  }
  ~VitFolder() { std::filesystem::remove_all(path_); }
  VitFolder(const VitFolder&) = delete;
  VitFolder& operator=(const VitFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Images in memory: `count` of random pixels whose brightness tells their class.
class RandomImages : public ImageSet {
 public:
  RandomImages(int64_t count, int64_t channels, int64_t side, int64_t classes) {
    for (int64_t i = 0; i < count; ++i) {
      Image image{channels, side, side, std::vector<uint8_t>(channels * side * side)};
      for (size_t p = 0; p < image.pixels.size(); ++p) {
        const auto noise = (static_cast<int64_t>(p) * 2654435761 + i * 40503) / 7 % 100;
        image.pixels[p] = static_cast<uint8_t>(i % classes * 150 / classes + noise);
      }
      images_.push_back(std::move(image));
      labels_.push_back(i % classes);
    }
    for (int64_t c = 0; c < classes; ++c) names_.push_back(std::to_string(c));
  }
  int64_t size() const override { return static_cast<int64_t>(images_.size()); }
  Image image(int64_t i) const override { return images_.at(static_cast<size_t>(i)); }
  int64_t label(int64_t i) const override { return labels_.at(static_cast<size_t>(i)); }
  const std::vector<std::string>& classes() const override { return names_; }
  const std::string& hash() const override { return hash_; }
  void name(std::vector<std::string> names) { names_ = std::move(names); }

 private:
  std::vector<Image> images_;
  std::vector<int64_t> labels_;
  std::vector<std::string> names_;
  std::string hash_ = "images";
};

}  // namespace octet::test
