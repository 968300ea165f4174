#include "models/data/open_samples.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/hash.h"
#include "models/architectures/registry.h"
#include "models/data/data.h"
#include "models/data/image_samples.h"
#include "models/data/next_token.h"
#include "models/data/pair_samples.h"
#include "models/source_model.h"

namespace octet {
namespace {

class WindowSamples : public Samples {
 public:
  WindowSamples(TokenWindows windows, std::string hash)
      : windows_(std::move(windows)), hash_(std::move(hash)) {}

  int64_t size() const override { return windows_.size(); }
  int64_t length(int64_t) const override { return windows_.length(); }
  const std::string& hash() const override { return hash_; }
  std::string signature(int64_t used) const override {
    return fmt::format("length:{}|windows:{}/{}|bos:{}|tail:dropped({})|stride:{}",
                       windows_.length(), used, windows_.size(),
                       windows_.bos() ? "each window" : "no", windows_.tail(),
                       windows_.length() - (windows_.bos() ? 1 : 0));
  }

  TaskBatch batch(std::span<const int64_t> indices) const override {
    const auto rows = std::ssize(indices);
    const int64_t length = windows_.length();
    at::Tensor ids = at::empty({rows, length}, at::kLong);
    for (int64_t r = 0; r < rows; ++r) {
      const auto window = windows_.window(indices[static_cast<size_t>(r)]);
      std::copy(window.begin(), window.end(), ids.data_ptr<int64_t>() + r * length);
    }
    return next_token_batch(std::move(ids));
  }

 private:
  TokenWindows windows_;
  std::string hash_;
};

}  // namespace

std::unique_ptr<Samples> open_window_samples(const SourceModel& model, const std::string& data,
                                             int64_t length) {
  const std::string text = open_text(model, data);
  return std::make_unique<WindowSamples>(cut_windows(model, text, length), sha256(text));
}

std::unique_ptr<Samples> open_samples(const SourceModel& model, const std::string& data,
                                      Split split, int64_t length) {
  switch (task_kind(model.config())) {
    case TaskKind::kTranslation:
      return make_pair_samples(read_pairs(data, split), open_marian_tokenizer(model),
                               model.config(), length);
    case TaskKind::kVision:
      return open_image_samples(model, data, split);
    case TaskKind::kLanguage:
      break;
  }
  return open_window_samples(model, data, length);
}

}  // namespace octet
