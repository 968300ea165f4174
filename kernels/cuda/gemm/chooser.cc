#ifdef OCTET_HAS_CUDA
#include "kernels/cuda/gemm/chooser.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <vector>

#include "core/error.h"
#include "core/files.h"

namespace octet::cuda {
namespace {

constexpr const char* kMagic = "octet-gemm 1 ";
constexpr int kTrials = 5;
constexpr size_t kScratchMost = size_t{1} << 30;

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  throw Error(std::string(what) + ": " + cudaGetErrorString(status), "a working CUDA device",
              "check the device with nvidia-smi, or run with --device cpu");
}

cudaStream_t as_stream(void* stream) {
  return static_cast<cudaStream_t>(stream);
}

bool capturing(void* stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  check(cudaStreamIsCapturing(as_stream(stream), &status), "cudaStreamIsCapturing");
  return status != cudaStreamCaptureStatusNone;
}

std::vector<int> settings_of(const Int8Tiling& tiling) {
  if (tiling.setting == Int8Tiling::kSplits) return {0, 1, 2, 3, 4, 6, 8};
  if (tiling.setting == Int8Tiling::kSwizzle) return {1, 8, 17, 33};
  return {1};
}

/// Two events around what a stream does.
class Timer {
 public:
  explicit Timer(void* stream) : stream_(as_stream(stream)) {
    check(cudaEventCreate(&begin_), "cudaEventCreate");
    check(cudaEventCreate(&end_), "cudaEventCreate");
  }
  ~Timer() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
  }
  template <typename Call>
  double microseconds(const Call& call) {
    check(cudaEventRecord(begin_, stream_), "cudaEventRecord");
    call();
    check(cudaEventRecord(end_, stream_), "cudaEventRecord");
    check(cudaEventSynchronize(end_), "cudaEventSynchronize");
    float ms = 0;
    check(cudaEventElapsedTime(&ms, begin_, end_), "cudaEventElapsedTime");
    return 1e3 * ms;
  }

 private:
  cudaStream_t stream_;
  cudaEvent_t begin_{}, end_{};
};

/// Weights come from memory in use, so they must when they are measured.
class ColdCache {
 public:
  explicit ColdCache(void* stream) : stream_(as_stream(stream)) {
    int device = 0, bytes = 0;
    check(cudaGetDevice(&device), "cudaGetDevice");
    check(cudaDeviceGetAttribute(&bytes, cudaDevAttrL2CacheSize, device), "cudaDeviceGetAttribute");
    bytes_ = 2 * static_cast<size_t>(bytes);
    if (cudaMalloc(&data_, bytes_) != cudaSuccess) cudaGetLastError();  // measured warm, then
  }
  ~ColdCache() {
    if (data_ != nullptr) cudaFree(data_);
  }
  ColdCache(const ColdCache&) = delete;
  ColdCache& operator=(const ColdCache&) = delete;
  void flush() const {
    if (data_ != nullptr) check(cudaMemsetAsync(data_, 0, bytes_, stream_), "cudaMemsetAsync");
  }

 private:
  cudaStream_t stream_;
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace

GemmChooser::GemmChooser(std::string file) : file_(std::move(file)) {
  int device = 0;
  cudaDeviceProp properties{};
  check(cudaGetDevice(&device), "cudaGetDevice");
  check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  gpu_ = properties.name;
  arch_ = 10 * properties.major + properties.minor;
  load();
}

GemmChooser::~GemmChooser() {
  try {
    save();
  } catch (const std::exception&) {
    // Choices that could not be kept are measured again.
  }
  if (scratch_ != nullptr) cudaFree(scratch_);
}

void GemmChooser::load() {
  std::ifstream in(file_);
  std::string line;
  if (file_.empty() || !std::getline(in, line)) return;
  foreign_ = line != kMagic + gpu_;
  while (!foreign_ && std::getline(in, line)) {
    std::istringstream fields(line);
    int64_t n = 0, k = 0, m = 0;
    TilingChoice choice;
    fields >> n >> k >> m >> choice.microseconds >> choice.setting;
    if (!fields || !std::getline(fields >> std::ws, choice.tiling) ||
        find(choice.tiling) == nullptr)
      continue;
    choices_.emplace(Key{n, k, m}, choice);
  }
}

void GemmChooser::save() {
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
    text += numbers + choice.tiling + "\n";
  }
  write_file(file_, text);
  changed_ = false;
}

int64_t GemmChooser::bucket(int64_t m) {
  int64_t top = 16;
  while (top < m && top < 8192) top *= 2;
  return top;
}

const Int8Tiling* GemmChooser::find(const std::string& name) const {
  for (const Int8Tiling& tiling : int8_tilings()) {
    if (tiling.name == name && tiling.least_arch <= arch_ && arch_ <= tiling.most_arch)
      return &tiling;
  }
  return nullptr;
}

void* GemmChooser::scratch(size_t bytes, void* stream) {
  if (bytes <= scratch_bytes_) return scratch_;
  if (bytes > kScratchMost || capturing(stream)) return nullptr;
  check(cudaStreamSynchronize(as_stream(stream)), "cudaStreamSynchronize");
  if (scratch_ != nullptr) check(cudaFree(scratch_), "cudaFree");
  scratch_ = nullptr, scratch_bytes_ = 0;
  check(cudaMalloc(&scratch_, bytes), "cudaMalloc");
  scratch_bytes_ = bytes;
  return scratch_;
}

bool GemmChooser::run(const Int8Gemm& g, const TilingChoice& choice, bool overlap, void* stream) {
  const Int8Tiling* tiling = find(choice.tiling);
  if (tiling == nullptr) return false;
  const size_t bytes = tiling->workspace(g, choice.setting);
  void* workspace = bytes > 0 ? scratch(bytes, stream) : nullptr;
  if (bytes > 0 && workspace == nullptr) return false;
  return tiling->run(g, choice.setting, workspace, overlap, stream);
}

TilingChoice GemmChooser::measure(const Int8Gemm& g, void* stream) {
  TilingChoice best;
  Timer timer(stream);
  const ColdCache cache(stream);
  for (const Int8Tiling& tiling : int8_tilings()) {
    if (find(tiling.name) == nullptr) continue;
    for (const int setting : settings_of(tiling)) {
      TilingChoice choice{tiling.name, setting, 0};
      if (!run(g, choice, false, stream)) continue;
      std::vector<double> times;
      for (int i = 0; i < kTrials; ++i) {
        cache.flush();
        times.push_back(timer.microseconds([&] { run(g, choice, false, stream); }));
      }
      std::nth_element(times.begin(), times.begin() + kTrials / 2, times.end());
      choice.microseconds = times[kTrials / 2];
      if (best.tiling.empty() || choice.microseconds < best.microseconds) best = choice;
    }
  }
  return best;
}

TilingChoice GemmChooser::guess(const Int8Gemm& g) const {
  // The nearest measured shape in bytes of weights, then any that runs.
  const TilingChoice* nearest = nullptr;
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
  return {arch_ == 90 && g.m > 256 ? "sm90 128x128x128 2x1 pingpong" : "sm80 64x128x64", 1, 0};
}

bool GemmChooser::run(const Int8Gemm& g, bool overlap, void* stream) {
  if (g.m <= 0 || g.n <= 0) return true;
  TilingChoice choice;
  {
    const std::lock_guard lock(mutex_);
    const Key key{g.n, g.k, bucket(g.m)};
    const auto known = choices_.find(key);
    if (known != choices_.end()) {
      choice = known->second;
    } else if (capturing(stream)) {
      choice = guess(g);
    } else {
      choice = measure(g, stream);
      if (choice.tiling.empty()) return false;
      choices_[key] = choice;
      changed_ = true;
    }
  }
  if (run(g, choice, overlap, stream)) return true;
  return run(g, {"sm80 64x128x64", 1, 0}, false, stream);
}

}  // namespace octet::cuda
#endif
