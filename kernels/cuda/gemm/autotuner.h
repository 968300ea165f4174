// Which tile config runs which shape: measured once on this card, kept in a file, tried by no one
// else again. All tile configs give the same bits, so a choice changes speed alone.
#pragma once
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <tuple>

#include "kernels/cuda/gemm/int8_gemm.h"

namespace octet::cuda {

/// A tile config of int8_tile_configs() and its setting.
struct TileConfigChoice {
  std::string tile_config;
  int setting = 1;
  double microseconds = 0;  ///< when it was measured
};

/// One for a device; calls may come from several threads, but on one stream.
///
/// The file is text: a first line "octet-gemm 2 NAME OF THE GPU", then a line for each shape:
/// n k m microseconds setting tile config. m is the upper end of a bucket, a power of two. A file
/// of another card or a later version is not used and not overwritten.
class GemmAutotuner {
 public:
  /// file: where choices are kept, or "" to keep them in memory alone. It need not exist.
  explicit GemmAutotuner(std::string file = "");
  ~GemmAutotuner();
  GemmAutotuner(const GemmAutotuner&) = delete;
  GemmAutotuner& operator=(const GemmAutotuner&) = delete;

  /// Runs g in the tile config chosen for its shape; a shape seen for the first time is measured,
  /// except while the stream is captured into a graph. Returns false where no tile config takes
  /// this shape.
  bool run(const Int8Gemm& g, bool overlap, void* stream);
  /// As above, in the named tile config.
  bool run(const Int8Gemm& g, const TileConfigChoice& choice, bool overlap, void* stream);
  /// Measures all tile configs of this shape at the upper end of its bucket: the best, or none ("")
  /// where memory or the shape allow none.
  TileConfigChoice measure(const Int8Gemm& g, void* stream);
  /// Writes the file, if there is one and something was measured; so does the destructor.
  void save();

  static int64_t bucket(int64_t m);  ///< the power of two at or above m, 16 to 8192

 private:
  using Key = std::tuple<int64_t, int64_t, int64_t>;  // n, k, bucket
  void load();
  void* scratch(size_t bytes, void* stream);
  const Int8TileConfig* find(const std::string& name) const;
  TileConfigChoice guess(const Int8Gemm& g) const;

  std::string file_, gpu_;
  int arch_ = 0;
  bool foreign_ = false, changed_ = false;  // the file belongs to another card; choices were added
  std::mutex mutex_;
  std::map<Key, TileConfigChoice> choices_;
  std::set<Key> untimed_;  // shapes that measure() found none for: not measured again
  void* scratch_ = nullptr;
  size_t scratch_bytes_ = 0;
};

}  // namespace octet::cuda
