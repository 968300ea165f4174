// Model: the structure of one architecture, const and without tensors. Run whole, or block by block
// with the Hidden between blocks kept anywhere: the same bits either way.
#pragma once
#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/config.h"
#include "models/run/executor.h"
#include "models/topology.h"

namespace octet {

/// Keys and values of one attention, [B, H_kv, capacity, D], allocated once.
struct KvCache {
  at::Tensor k, v;
};

/// The position of each row's keys and values in caches that are never rearranged (CPU): reordering
/// rows moves these numbers instead. Then a cache is one tensor k [places, 2 H_kv D], keys before
/// values.
struct Places {
  at::Tensor self;           ///< int32 [rows, positions], the first State::used of them filled
  at::Tensor memory;         ///< int32 [rows, S]: the real positions of each row's source first
  at::Tensor memory_counts;  ///< int32 [rows]
  int64_t taken = 0;         ///< of the caches of self-attention
  int64_t begun = 0;         ///< first place of the positions now running
};

/// Owned by the decoding loop. `length` (int64 [1], on the device) counts the filled positions;
/// `used` is the same number on the host, for devices where shapes may depend on it (CPU).
struct State {
  std::vector<KvCache> self, cross;
  at::Tensor length;
  int64_t used = 0;
  std::optional<Places> places;
  /// Picks rows of the caches of self-attention, int64 [B * beams]. Those of cross-attention have a
  /// row a sentence, which beams share: reorder_memory picks them, int64 [B].
  void reorder(const at::Tensor& beams);
  void reorder_memory(const at::Tensor& sentences);
  /// Makes room for one more position for each of `rows` rows; `most` is the largest number of
  /// positions that will be needed.
  void make_room(int64_t rows, int64_t most);
};

struct Batch {
  at::Tensor ids;          ///< int64 [B, T]
  at::Tensor positions;    ///< int64 [T], or undefined: counted from the state's length
  at::Tensor mask;         ///< bool [B, T] of real tokens, or undefined: all
  at::Tensor target_ids;   ///< int64 [B, T_dec] of encoder-decoders
  at::Tensor target_mask;  ///< bool [B, T_dec] of real tokens, or undefined: all
  at::Tensor pixels;       ///< float [B, C, H, W]
};

/// The same on `device`; undefined tensors stay so. Out of pinned memory a copy runs beside the
/// host.
at::Tensor on_device(const at::Tensor& tensor, at::Device device);
Batch batch_on_device(const Batch& batch, at::Device device);

/// All that passes between blocks: the stream x [B, T, D], the delta not yet added, what the
/// encoder left, rotary cosines and sines, the batch.
struct Hidden {
  at::Tensor x, delta, memory, rotary;
  Batch batch;
  /// Named tensors for spilling; undefined ones are left out.
  std::map<std::string, at::Tensor> tensors() const;
  static Hidden from_tensors(const std::map<std::string, at::Tensor>& tensors);
};

class Model {
 public:
  virtual ~Model() = default;
  virtual const Topology& topology() const = 0;
  virtual Hidden begin(Executor& executor, const Batch& batch, State* state) const = 0;
  /// Encoder blocks first, then decoder blocks.
  virtual void block(Executor& executor, int i, Hidden& hidden, State* state) const = 0;
  /// Logits [B, T, vocab], class scores or embedding. With `last_only` of a language model: [B, 1,
  /// vocab].
  virtual at::Tensor end(Executor& executor, Hidden& hidden, bool last_only = false) const = 0;
  /// Empty caches for `batch` sequences of up to `capacity` positions.
  virtual State new_state(const Executor& executor, int64_t batch, int64_t capacity) const = 0;
};

/// begin, all blocks, end; everything must be loaded. Advances the state by the batch's length.
at::Tensor forward(const Model& model, Executor& executor, const Batch& batch,
                   State* state = nullptr, bool last_only = false);

/// The Model of config.architecture; Error naming the known ones for others.
std::unique_ptr<Model> make_model(const ModelConfig& config);

}  // namespace octet
