#include "finetune/self_text.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <charconv>

#include "core/containers/safetensors.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/random.h"
#include "models/data/next_token.h"

namespace octet {
namespace {

constexpr const char* kIds = "ids";

// Windows of ids [N, length]: each position's target is the next id.
class IdSamples : public Samples {
 public:
  explicit IdSamples(at::Tensor ids)
      : ids_(std::move(ids)),
        hash_(sha256(
            std::span(static_cast<const std::byte*>(ids_.const_data_ptr()), ids_.nbytes()))) {}
  int64_t size() const override { return ids_.size(0); }
  int64_t length(int64_t) const override { return ids_.size(1); }
  const std::string& hash() const override { return hash_; }
  TaskBatch batch(std::span<const int64_t> indices) const override {
    return next_token_batch(ids_.index_select(
        0, at::tensor(at::ArrayRef<int64_t>(indices.data(), indices.size()), at::kLong)));
  }

 private:
  at::Tensor ids_;
  std::string hash_;
};

// Windows decoded together, and in a file: a step of a GPU costs the same for many, a CPU has less
// memory for their keys and values.
int64_t chunk_of(const Runner& model) {
  return model.executor->options().device.is_cuda() ? 256 : 32;
}

class Writer {
 public:
  Writer(const Runner& model, const SelfTextOptions& options, const std::filesystem::path& folder)
      : model_(model),
        options_(options),
        folder_(folder),
        random_(options.seed, "self text " + options.purpose),
        chunk_(chunk_of(model)) {}

  std::filesystem::path file(int64_t chunk) const {
    return folder_ / fmt::format("self-{}-{}.safetensors", options_.purpose, chunk);
  }

  int64_t rows(int64_t chunk) const { return std::min(chunk_, options_.windows - chunk * chunk_); }

  void write(int64_t chunk) const {
    const at::Tensor ids = decode(chunk).to(at::kCPU).contiguous();
    SafetensorsWriter writer(file(chunk), {{kIds, Dtype::kI64, ids.sizes().vec()}});
    writer.write(kIds, {static_cast<const std::byte*>(ids.const_data_ptr()), ids.nbytes()});
    writer.commit();
  }

  at::Tensor read(int64_t chunk) const {
    const SafetensorsFile stored(file(chunk));
    const at::Tensor ids = at::empty({rows(chunk), options_.length}, at::kLong);
    const auto entry = stored.entries().find(kIds);
    if (entry == stored.entries().end() || entry->second.info.dtype != Dtype::kI64 ||
        entry->second.info.shape != ids.sizes().vec()) {
      throw Error(fmt::format("no such text in {}", file(chunk).string()), "what this run wrote",
                  "remove the folder to start over");
    }
    stored.read(entry->second, {static_cast<std::byte*>(ids.data_ptr()), ids.nbytes()});
    return ids;
  }

 private:
  // The numbers that windows draw from at a position: of a window alone, however they are chunked.
  at::Tensor draws(int64_t chunk, int64_t position) const {
    at::Tensor drawn = at::empty({rows(chunk), 1}, at::kDouble);
    for (int64_t r = 0; r < drawn.size(0); ++r) {
      const int64_t window = chunk * chunk_ + r;
      drawn.data_ptr<double>()[r] =
          random_.uniform(static_cast<uint64_t>(window * options_.length + position));
    }
    return drawn.to(model_.executor->options().device);
  }

  at::Tensor first(int64_t chunk) const {
    const at::Device device = model_.executor->options().device;
    if (options_.bos) return at::full({rows(chunk), 1}, *options_.bos, at::kLong).to(device);
    const auto vocabulary = static_cast<double>(model_.model->topology().tables.front().rows);
    return (draws(chunk, 0) * vocabulary).floor().to(at::kLong);
  }

  // Nothing of it is read before the end: the host runs ahead of a GPU.
  at::Tensor decode(int64_t chunk) const {
    const at::NoGradGuard no_gradients;
    State state = model_.model->new_state(*model_.executor, rows(chunk), options_.length);
    std::vector<at::Tensor> ids{first(chunk)};
    for (int64_t position = 1; position < options_.length; ++position) {
      Batch batch;
      batch.ids = ids.back();
      const at::Tensor logits = forward(*model_.model, *model_.executor, batch, &state, true);
      const at::Tensor sums =
          at::softmax(logits.view({rows(chunk), -1}).to(at::kDouble), 1).cumsum(1);
      const at::Tensor below =
          sums.le(draws(chunk, position) * sums.narrow(1, sums.size(1) - 1, 1));
      ids.push_back(below.sum(1, true).clamp_max(sums.size(1) - 1));
    }
    return at::cat(ids, 1);
  }

  const Runner& model_;
  const SelfTextOptions& options_;
  const std::filesystem::path& folder_;
  Random random_;
  int64_t chunk_;
};

}  // namespace

std::optional<int64_t> self_windows(const std::string& data) {
  constexpr std::string_view kKind = "self:";
  if (!data.starts_with(kKind)) return std::nullopt;
  int64_t windows = 0;
  const char* end = data.data() + data.size();
  const auto parsed = std::from_chars(data.data() + kKind.size(), end, windows);
  if (parsed.ec != std::errc() || parsed.ptr != end || windows < 1 || windows > 1 << 24) {
    throw UsageError(fmt::format("data \"{}\"", data), "self:N with N windows, 1 or more",
                     "e.g. self:512");
  }
  return windows;
}

std::unique_ptr<Samples> self_text(const Runner& model, const SelfTextOptions& options,
                                   const std::filesystem::path& folder, ProcessGroup& process_group,
                                   Context& context) {
  model.executor->train(false);
  std::filesystem::create_directories(folder);
  const Writer writer(model, options, folder);
  const int64_t together = chunk_of(model);
  const int64_t chunks = (options.windows + together - 1) / together;
  Progress progress(context.log, "write text", chunks);
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const bool mine = chunk % process_group.size() == process_group.rank();
    const bool done = !mine || std::filesystem::exists(writer.file(chunk));
    if (!done) {
      context.stop.check("run the same command again to go on");
      writer.write(chunk);
    }
    progress.advance(1, done);
  }
  process_group.barrier();
  std::vector<at::Tensor> ids;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) ids.push_back(writer.read(chunk));
  return std::make_unique<IdSamples>(at::cat(ids));
}

}  // namespace octet
