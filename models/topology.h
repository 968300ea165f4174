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

/// An exact SmoothQuant pair: from a norm or from the output rows of `linear` (the other is -1)
/// into the input channels of site `into`; repeat > 1 where grouped-query heads share the scale.
struct Fold {
  Id norm, linear, into;
  int repeat;
};

struct Topology {
  std::vector<Table> tables;
  std::vector<Site> sites;
  std::vector<Norm> norms;
  std::vector<Fold> folds;
  int encoder_blocks = 0;
  int blocks = 0;  ///< encoder and decoder blocks together
};

/// Index of the site with that name; Error when there is none.
Id site_index(const Topology& topology, const std::string& name);

/// Parameters of all tables, sites and norms, tied tensors once.
int64_t parameter_count(const Topology& topology);

}  // namespace octet
