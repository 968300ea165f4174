// What a model consists of, from its configuration alone: no tensors. Names and layouts are Hugging
// Face's.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace octet {

/// Index of a Site in Topology::sites or of a Norm in Topology::norms.
using Id = int;

/// Block number of what belongs to no block: embeddings, final norm, head.
inline constexpr int kOutside = -1;

/// One weight [n, k] (out features, in features), named without ".weight".
struct Matrix {
  std::string name;
  int64_t n, k;
  bool bias;
};

/// One input and the matrices that read it. They run as one linear (outputs concatenated along N)
/// and share one scheme and one input scale.
struct Site {
  int block;
  std::string name;              ///< e.g. "model.layers.3.self_attn.qkv_proj"
  std::vector<Matrix> matrices;  ///< in output order
  std::string tied_to;  ///< full name of the table whose tensor is this site's weight, or empty
  int64_t k() const { return matrices.front().k; }
  int64_t n() const;
  /// Name of the i-th matrix's weight tensor in a checkpoint.
  std::string weight_name(size_t i) const;
};

/// An embedding table [rows, dim], or whatever else is read as one: it is never quantized.
struct Table {
  int block;
  std::string name;  ///< e.g. "model.embed_tokens.weight"
  int64_t rows, dim;
  std::vector<int64_t> stored = {};  ///< shape in a checkpoint, where that is not [rows, dim]
  std::vector<int64_t> shape() const;
};

struct Norm {
  int block;
  std::string name;  ///< without ".weight"
  int64_t dim;
  bool rms;   ///< RMSNorm (no bias), else LayerNorm
  bool post;  ///< the normed value is also the stream
  double eps;
  Id reader;  ///< site that the norm produces for, or -1
};

/// A producer and all its readers, between which a scale can be moved without changing the model's
/// outputs, except for rounding. For any positive s [rows]: row first_row + r of the producer is
/// divided by s[r], and in every reader input channel c of all its matrices is multiplied by
/// s[row_of(c)].
///
/// The producer is a norm, whose rows are its channels (weight, and bias of a LayerNorm), or a
/// site, whose rows count over its matrices in output order (weight and bias of each). Every reader
/// has k() == rows * repeat and is tied to no table; only the readers see these rows, so a norm
/// whose output is also the stream has no fold. What lies between is linear in each row (attention
/// in its values, a gate in what it multiplies) or commutes with a positive scale (relu).
///
/// Grouped queries: `repeat` query heads in succession read one head of `head` rows, so that
/// channels h * head + d of a reader come from row (h / repeat) * head + d and share its scale.
struct Fold {
  Id norm = -1, linear = -1;  ///< the producer: one of them, the other is -1
  int64_t first_row = 0;      ///< 0 of a norm
  int64_t rows = 0;
  int64_t head = 1;  ///< of no effect where repeat is 1
  int repeat = 1;
  std::vector<Id> into;
  /// Row, counted from first_row, that input channel `channel` of a reader comes from.
  int64_t row_of(int64_t channel) const {
    return channel / (head * repeat) * head + channel % head;
  }
};

struct Topology {
  std::vector<Table> tables;
  std::vector<Site> sites;
  std::vector<Norm> norms;
  std::vector<Fold> folds;
  int encoder_blocks = 0;
  int blocks = 0;  ///< encoder and decoder blocks together
  Id add_site(Site site);
  Id add_norm(Norm norm);
};

/// Index of the site with that name; Error when there is none.
Id site_index(const Topology& topology, const std::string& name);

/// Parameters of all tables, sites and norms, tied tensors once.
int64_t parameter_count(const Topology& topology);

}  // namespace octet
