#include "kernels/cuda/gemm/autotuner.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <vector>

#include "core/error.h"
#include "core/io/atomic_file.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/gemm/chain_timer.h"

namespace octet::cuda {
namespace {

constexpr const char* kMagic = "octet-gemm 2 ";
constexpr const char* kOlder = "octet-gemm 1 ";  // measured otherwise, and is replaced
constexpr size_t kScratchMost = size_t{1} << 30;

bool capturing(void* stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  check_cuda(cudaStreamIsCapturing(as_stream(stream), &status), "cudaStreamIsCapturing");
  return status != cudaStreamCaptureStatusNone;
}

std::vector<int> settings_of(const Int8TileConfig& tile_config) {
  if (tile_config.setting == Int8TileConfig::kSplits) return {0, 1, 2, 3, 4, 6, 8};
  if (tile_config.setting == Int8TileConfig::kSwizzle) return {1, 8, 17, 33};
  if (tile_config.setting == Int8TileConfig::kRanks) return {1, 2, 3, 4, 6, 8};
  return {1};
}

}  // namespace

GemmAutotuner::GemmAutotuner(std::string file) : file_(std::move(file)) {
  int device = 0;
  cudaDeviceProp properties{};
  check_cuda(cudaGetDevice(&device), "cudaGetDevice");
  check_cuda(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  gpu_ = properties.name;
  arch_ = 10 * properties.major + properties.minor;
  load();
}

GemmAutotuner::~GemmAutotuner() {
  try {
    save();
  } catch (const std::exception&) {
    // Choices that could not be kept are measured again.
  }
  if (scratch_ != nullptr) cudaFree(scratch_);
}

void GemmAutotuner::load() {
  std::ifstream in(file_);
  std::string line;
  if (file_.empty() || !std::getline(in, line)) return;
  const bool older = line == kOlder + gpu_;
  foreign_ = !older && line != kMagic + gpu_;
  while (!foreign_ && !older && std::getline(in, line)) {
    std::istringstream fields(line);
    int64_t n = 0, k = 0, m = 0;
    TileConfigChoice choice;
    fields >> n >> k >> m >> choice.microseconds >> choice.setting;
    if (!fields || !std::getline(fields >> std::ws, choice.tile_config) ||
        find(choice.tile_config) == nullptr)
      continue;
    choices_.emplace(Key{n, k, m}, choice);
  }
}

void GemmAutotuner::save() {
  const std::lock_guard lock(mutex_);
  if (file_.empty() || foreign_ || !changed_) return;
  load();  // another process may have added to it
  std::string text = kMagic + gpu_ + "\n";
  for (const auto& [key, choice] : choices_) {
    char numbers[128];
    std::snprintf(numbers, sizeof(numbers), "%lld %lld %lld %.1f %d ",
                  static_cast<long long>(std::get<0>(key)),
                  static_cast<long long>(std::get<1>(key)),
                  static_cast<long long>(std::get<2>(key)), choice.microseconds, choice.setting);
    text += numbers + choice.tile_config + "\n";
  }
  write_file(file_, text);
  changed_ = false;
}

int64_t GemmAutotuner::bucket(int64_t m) {
  int64_t top = 16;
  while (top < m && top < 8192) top *= 2;
  return top;
}

const Int8TileConfig* GemmAutotuner::find(const std::string& name) const {
  for (const Int8TileConfig& tile_config : int8_tile_configs()) {
    if (tile_config.name == name && tile_config.least_arch <= arch_ &&
        arch_ <= tile_config.most_arch)
      return &tile_config;
  }
  return nullptr;
}

void* GemmAutotuner::scratch(size_t bytes, void* stream) {
  if (bytes <= scratch_bytes_) return scratch_;
  if (bytes > kScratchMost || capturing(stream)) return nullptr;
  check_cuda(cudaStreamSynchronize(as_stream(stream)), "cudaStreamSynchronize");
  if (scratch_ != nullptr) check_cuda(cudaFree(scratch_), "cudaFree");
  scratch_ = nullptr, scratch_bytes_ = 0;
  check_cuda(cudaMalloc(&scratch_, bytes), "cudaMalloc");
  scratch_bytes_ = bytes;
  return scratch_;
}

bool GemmAutotuner::run(const Int8Gemm& g, const TileConfigChoice& choice, bool overlap,
                        void* stream) {
  const Int8TileConfig* tile_config = find(choice.tile_config);
  if (tile_config == nullptr) return false;
  const size_t bytes = tile_config->workspace(g, choice.setting);
  void* workspace = bytes > 0 ? scratch(bytes, stream) : nullptr;
  if (bytes > 0 && workspace == nullptr) return false;
  return tile_config->run(g, choice.setting, workspace, overlap, stream);
}

TileConfigChoice GemmAutotuner::measure(const Int8Gemm& g, void* stream) {
  check_cuda(cudaStreamSynchronize(as_stream(stream)), "cudaStreamSynchronize");
  TileConfigChoice best;
  const ChainTimer timer(g, bucket(g.m));
  if (!timer.ready()) return best;
  for (const Int8TileConfig& tile_config : int8_tile_configs()) {
    if (find(tile_config.name) == nullptr) continue;
    for (const int setting : settings_of(tile_config)) {
      TileConfigChoice choice{tile_config.name, setting, 0};
      const double us = timer.microseconds(
          [&](const Int8Gemm& one, void* on) { return run(one, choice, true, on); });
      if (us < 0) continue;
      choice.microseconds = us;
      if (best.tile_config.empty() || us < best.microseconds) best = choice;
    }
  }
  return best;
}

TileConfigChoice GemmAutotuner::guess(const Int8Gemm& g) const {
  // The nearest measured shape in bytes of weights, then any that runs.
  const TileConfigChoice* nearest = nullptr;
  double least = 0;
  for (const auto& [key, choice] : choices_) {
    const auto [n, k, m] = key;
    if (m != bucket(g.m)) continue;
    const double ratio = static_cast<double>(n) * static_cast<double>(k) /
                         (static_cast<double>(g.n) * static_cast<double>(g.k));
    const double distance = ratio > 1 ? ratio : 1 / ratio;
    if (nearest == nullptr || distance < least) nearest = &choice, least = distance;
  }
  if (nearest != nullptr) return *nearest;
  if (arch_ != 90) return {"sm80 64x128x64", 1, 0};
  if (g.m > 256) return {"sm90 128x128x128 2x1 pingpong", 1, 0};
  return {g.m <= 16 ? "sm90 ring 64x16x256" : "sm90 ring 64x64x256", 1, 0};
}

bool GemmAutotuner::run(const Int8Gemm& g, bool overlap, void* stream) {
  if (g.m <= 0 || g.n <= 0) return true;
  TileConfigChoice choice;
  {
    const std::lock_guard lock(mutex_);
    const Key key{g.n, g.k, bucket(g.m)};
    const auto known = choices_.find(key);
    if (known != choices_.end()) {
      choice = known->second;
    } else if (!capturing(stream) && !untimed_.contains(key)) {
      choice = measure(g, stream);
      if (choice.tile_config.empty()) {
        untimed_.insert(key);
      } else {
        choices_[key] = choice;
        changed_ = true;
      }
    }
    if (choice.tile_config.empty()) choice = guess(g);
  }
  if (run(g, choice, overlap, stream)) return true;
  return run(g, {"sm80 64x128x64", 1, 0}, false, stream);
}

}  // namespace octet::cuda
