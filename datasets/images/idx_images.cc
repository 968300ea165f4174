#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "core/hash.h"
#include "datasets/images/idx.h"
#include "datasets/images/image_codecs.h"
#include "datasets/images/image_sets.h"

namespace octet {
namespace {

namespace fs = std::filesystem;
constexpr int64_t kMostValid = 5000;  // images of training kept apart, of few one in twelve
constexpr int64_t kValidPart = 12;

struct Pair {
  IdxArray images, labels;
};

// The file of MNIST's naming: train-images-idx3-ubyte, train-images.idx3-ubyte, either also .gz.
fs::path find_file(const std::string& directory, const std::string& name) {
  for (const char* rank : {"-idx3", ".idx3", "-idx4", ".idx4", "-idx1", ".idx1"}) {
    for (const char* end : {"-ubyte.gz", "-ubyte"}) {
      fs::path file = fs::path(directory) / (name + rank + end);
      if (fs::exists(file)) return file;
    }
  }
  throw Error(fmt::format("no {}-idx*-ubyte(.gz) in {}", name, directory),
              "train- and t10k-images-idx3-ubyte and -labels-idx1-ubyte, as MNIST's",
              "name the two files: idx:IMAGES,LABELS");
}

void check(const IdxArray& images, const fs::path& path) {
  const auto& s = images.shape;
  const bool gray = s.size() == 3, coloured = s.size() == 4 && (s[3] == 1 || s[3] == 3);
  if ((gray || coloured) && s[1] >= 1 && s[2] >= 1 && s[1] <= kMostSide && s[2] <= kMostSide &&
      s[1] * s[2] <= kMostPixels) {
    return;
  }
  throw Error(fmt::format("an array [{}] in {}", fmt::join(s, ", "), path.string()),
              "images: [count, height, width] or [count, height, width, 1 or 3]",
              "give the file of the images first, then that of the labels");
}

Pair read_pair(const fs::path& images, const fs::path& labels) {
  Pair pair{read_idx(images.string()), read_idx(labels.string())};
  check(pair.images, images);
  if (pair.labels.shape.size() != 1) {
    throw Error(
        fmt::format("an array [{}] in {}", fmt::join(pair.labels.shape, ", "), labels.string()),
        "labels: [count]", "give the file of the images first, then that of the labels");
  }
  if (pair.images.shape[0] != pair.labels.shape[0]) {
    throw Error(fmt::format("{} images in {} and {} labels in {}", pair.images.shape[0],
                            images.string(), pair.labels.shape[0], labels.string()),
                "a label for each image", "give the two files of one data set");
  }
  return pair;
}

int64_t classes_of(const IdxArray& labels) {
  const uint8_t* end = labels.values() + labels.shape[0];
  return labels.shape[0] == 0 ? 0 : int64_t{*std::max_element(labels.values(), end)} + 1;
}

// One range of images after another.
class IdxImages : public ImageSet {
 public:
  explicit IdxImages(int64_t classes) {
    for (int64_t c = 0; c < classes; ++c) classes_.push_back(std::to_string(c));
  }

  // Adds images [begin, end) of a pair.
  void add(Pair pair, int64_t begin, int64_t end, const std::string& name) {
    for (int64_t i = begin; i < end; ++i) {
      if (pair.labels.values()[i] < classes_.size()) continue;
      throw Error(fmt::format("label {} of image {} in {}", pair.labels.values()[i], i, name),
                  fmt::format("a class of training, 0 to {}", std::ssize(classes_) - 1),
                  "give the files of one data set");
    }
    parts_.push_back({std::move(pair), begin, end});
    size_ += end - begin;
  }

  int64_t size() const override { return size_; }
  int64_t label(int64_t i) const override {
    const auto [part, at] = find(i);
    return part->pair.labels.values()[at];
  }
  const std::vector<std::string>& classes() const override { return classes_; }

  Image image(int64_t i) const override {
    const auto [part, at] = find(i);
    const auto& shape = part->pair.images.shape;
    Image image = blank_image("IDX data", shape.size() == 4 ? shape[3] : 1, shape[1], shape[2]);
    const int64_t row = image.width * image.channels;
    const uint8_t* samples = part->pair.images.values() + at * image.height * row;
    for (int64_t y = 0; y < image.height; ++y) put_row(image, y, samples + y * row);
    return image;
  }

  const std::string& hash() const override {
    if (!hash_.empty()) return hash_;
    Sha256 hash;
    for (const Part& part : parts_) {
      const auto& [images, labels] = part.pair;
      const std::string head = fmt::format("[{}] {}", fmt::join(images.shape, ", "), part.end);
      hash.update(std::as_bytes(std::span(head)));
      const int64_t size = std::ssize(images.bytes) - static_cast<int64_t>(images.begin);
      const int64_t one = images.shape[0] == 0 ? 0 : size / images.shape[0];
      const auto count = static_cast<size_t>(part.end - part.begin);
      hash.update(std::as_bytes(
          std::span(images.values() + part.begin * one, count * static_cast<size_t>(one))));
      hash.update(std::as_bytes(std::span(labels.values() + part.begin, count)));
    }
    return hash_ = hash.hex();
  }

 private:
  struct Part {
    Pair pair;
    int64_t begin, end;
  };
  std::pair<const Part*, int64_t> find(int64_t i) const {
    int64_t left = i;
    for (const Part& part : parts_) {
      if (left >= 0 && left < part.end - part.begin) return {&part, part.begin + left};
      left -= part.end - part.begin;
    }
    throw Error(fmt::format("image {}", i), fmt::format("an image in [0, {})", size_),
                "ask for fewer images");
  }

  std::vector<Part> parts_;
  int64_t size_ = 0;
  std::vector<std::string> classes_;
  mutable std::string hash_;
};

// The images of training that a split takes.
std::pair<int64_t, int64_t> training_range(int64_t count, Split split) {
  const int64_t cut = count - std::min(kMostValid, count / kValidPart);
  if (split == Split::kTrain) return {0, cut};
  if (split == Split::kValid) return {cut, count};
  return {0, count};
}

}  // namespace

std::vector<fs::path> idx_files(const DataSpec& spec, Split split) {
  if (!spec.second.empty()) return {spec.path, spec.second};
  std::vector<fs::path> files;
  if (split != Split::kTest) files.push_back(find_file(spec.path, "train-images"));
  files.push_back(find_file(spec.path, "train-labels"));
  if (split == Split::kTrain || split == Split::kValid) return files;
  files.push_back(find_file(spec.path, "t10k-images"));
  files.push_back(find_file(spec.path, "t10k-labels"));
  return files;
}

std::unique_ptr<ImageSet> open_idx(const DataSpec& spec, Split split) {
  const std::vector<fs::path> files = idx_files(spec, split);
  const bool directory = spec.second.empty();
  // Two files are read whole, unless they themselves are told to be cut.
  if (!directory && split == Split::kTest && spec.split) {
    throw UsageError(fmt::format("@test of two files, {} and {}", spec.path, spec.second),
                     "idx:DIR@test, or two files without a split", "drop @test");
  }
  const Split part = directory || spec.split ? split : Split::kAll;
  const size_t labels = directory && split == Split::kTest ? 0 : 1;
  auto set = std::make_unique<IdxImages>(classes_of(read_idx(files[labels].string())));
  if (labels == 1) {
    Pair pair = read_pair(files[0], files[1]);
    const auto [begin, end] = training_range(pair.labels.shape[0], part);
    set->add(std::move(pair), begin, end, files[1].string());
  }
  if (directory && files.size() > labels + 1) {
    Pair pair = read_pair(files[labels + 1], files[labels + 2]);
    const int64_t count = pair.labels.shape[0];
    set->add(std::move(pair), 0, count, files[labels + 2].string());
  }
  return set;
}

}  // namespace octet
