#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>

#include "core/error.h"
#include "core/hash.h"
#include "core/io/input_file.h"
#include "datasets/images/image_codecs.h"
#include "datasets/images/image_sets.h"

namespace octet {
namespace {

namespace fs = std::filesystem;
constexpr uint64_t kSplitParts = 10;

struct Item {
  fs::path path;
  std::string name;  ///< CLASS/FILE
  int64_t label = 0;
};

using Tree = std::map<std::string, std::vector<fs::path>>;  // files by class, both sorted

bool is_image(const fs::path& path) {
  std::string end = path.extension().string();
  for (char& c : end) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return end == ".jpg" || end == ".jpeg" || end == ".png";
}

std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::error_code failed;
  std::vector<fs::path> entries;
  for (const auto& entry : fs::directory_iterator(folder, failed)) {
    if (!entry.path().filename().string().starts_with('.')) entries.push_back(entry.path());
  }
  if (failed) {
    throw Error(fmt::format("folder {} ({})", folder.string(), failed.message()),
                "a folder with a folder of images for each class",
                "check the path and its permissions");
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

Tree read_tree(const fs::path& root) {
  Tree tree;
  for (const fs::path& folder : sorted_entries(root)) {
    if (!fs::is_directory(folder)) continue;
    auto& files = tree[folder.filename().string()];
    for (const fs::path& file : sorted_entries(folder)) {
      if (is_image(file) && fs::is_regular_file(file)) files.push_back(file);
    }
  }
  if (tree.empty()) {
    throw Error(fmt::format("no folder in {}", root.string()),
                "a folder of images for each class: DIR/CLASS/*.jpg",
                "sort the images into folders");
  }
  return tree;
}

// DIR/train and its siblings, where DIR is divided already.
std::optional<fs::path> folder_of(const fs::path& root, Split split) {
  std::vector<const char*> names = {split_name(split)};
  if (split == Split::kValid) names.push_back("val");
  for (const char* name : names) {
    if (fs::is_directory(root / name)) return root / name;
  }
  return std::nullopt;
}

class FolderImages : public ImageSet {
 public:
  explicit FolderImages(const Tree& classes) {
    for (const auto& [name, files] : classes) classes_.push_back(name);
  }

  // The files of `tree` whose hash falls on `split`; all of them for kAll.
  void add(const Tree& tree, Split split) {
    for (const auto& [name, files] : tree) {
      const auto found = std::lower_bound(classes_.begin(), classes_.end(), name);
      if (!files.empty() && (found == classes_.end() || *found != name)) {
        throw Error(fmt::format("class \"{}\" of {}", name, files[0].string()),
                    fmt::format("one of the {} classes of training", classes_.size()),
                    "rename the folder or remove it");
      }
      for (const fs::path& file : files) {
        Item item{file, name + "/" + file.filename().string(), found - classes_.begin()};
        if (split == Split::kAll || split_by_hash(item.name, kSplitParts) == split)
          items_.push_back(std::move(item));
      }
    }
  }
  // All but those whose hash is valid: training where no folder is named so.
  void add_but_valid(const Tree& tree) {
    add(tree, Split::kTrain);
    add(tree, Split::kTest);
  }

  int64_t size() const override { return std::ssize(items_); }
  Image image(int64_t i) const override {
    const std::string path = item(i).path.string();
    return decode_image(read_file(path, kMostImageBytes), path);
  }
  int64_t label(int64_t i) const override { return item(i).label; }
  const std::vector<std::string>& classes() const override { return classes_; }

  const std::string& hash() const override {
    if (!hash_.empty()) return hash_;
    Sha256 hash;
    for (const Item& item : items_) {
      const std::string line =
          fmt::format("{} {} {}\n", item.label, item.name, sha256_file(item.path));
      hash.update(std::as_bytes(std::span(line)));
    }
    return hash_ = hash.hex();
  }

 private:
  const Item& item(int64_t i) const {
    if (i >= 0 && i < size()) return items_[static_cast<size_t>(i)];
    throw Error(fmt::format("image {}", i), fmt::format("an image in [0, {})", size()),
                "ask for fewer images");
  }

  std::vector<std::string> classes_;
  std::vector<Item> items_;
  mutable std::string hash_;
};

// A folder with train/ inside: valid/ (or val/) and test/ beside it where they are, a tenth of
// train/ as valid where there is none.
std::unique_ptr<ImageSet> open_divided(const fs::path& root, Split split) {
  const Tree train = read_tree(*folder_of(root, Split::kTrain));
  const auto valid = folder_of(root, Split::kValid), test = folder_of(root, Split::kTest);
  auto set = std::make_unique<FolderImages>(train);
  if (split == Split::kTest && !test) {
    throw Error(fmt::format("no test folder in {}", root.string()), "test beside train",
                "name another split (@train, @valid, @all)");
  }
  if (split == Split::kAll || (split == Split::kTrain && valid)) set->add(train, Split::kAll);
  if (split == Split::kTrain && !valid) set->add_but_valid(train);
  if (split == Split::kValid && !valid) set->add(train, Split::kValid);
  if (valid && (split == Split::kValid || split == Split::kAll))
    set->add(read_tree(*valid), Split::kAll);
  if (test && (split == Split::kTest || split == Split::kAll))
    set->add(read_tree(*test), Split::kAll);
  return set;
}

}  // namespace

std::vector<fs::path> folder_files(const DataSpec& spec) {
  std::vector<fs::path> files, roots;
  for (const Split split : {Split::kTrain, Split::kValid, Split::kTest}) {
    if (const auto folder = folder_of(spec.path, split)) roots.push_back(*folder);
  }
  if (!folder_of(spec.path, Split::kTrain)) roots = {spec.path};
  for (const fs::path& root : roots) {
    for (const auto& [name, found] : read_tree(root))
      files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

std::unique_ptr<ImageSet> open_folder(const DataSpec& spec, Split split) {
  if (folder_of(spec.path, Split::kTrain)) return open_divided(spec.path, split);
  const Tree tree = read_tree(spec.path);
  auto set = std::make_unique<FolderImages>(tree);
  set->add(tree, split);
  return set;
}

}  // namespace octet
