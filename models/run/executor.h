// Executor: owns the weights of the loaded blocks and one Linear a site, and runs the primitive
// steps of which a Model is made. Precision belongs to a site: each Linear says what it wants to
// read, and the producer before it (norm, gate, read) writes just that.
#pragma once
#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "models/run/linear.h"
#include "models/topology.h"
#include "models/weights/weight_source.h"

namespace octet {

/// Sees the float input and output of every site as it runs. x: [tokens, K], y: [tokens, sum N],
/// compute dtype, rows of padding removed.
class SiteObserver {
 public:
  virtual ~SiteObserver() = default;
  virtual void on_input(Id site, const at::Tensor& x) = 0;
  virtual void on_output(Id site, const at::Tensor& y) = 0;
};

struct ExecutorOptions {
  at::ScalarType compute = at::kFloat;
  at::Device device = at::kCPU;
  /// Tables stay in the checkpoint's dtype and are widened on reading (quantized models: a kept
  /// FP16 head is never held as FP32). Otherwise tables are held in the compute dtype and shared
  /// with a tied head.
  bool keep_stored_tables = false;
};

class Executor {
 public:
  Executor(const Topology& topology, std::shared_ptr<WeightSource> source, LinearFactory factory,
           ExecutorOptions options = {});

  void load(int block);     ///< kOutside: tables, norms and sites outside the blocks
  void release(int block);  ///< gives the block's memory back
  void load_all();
  bool loaded(int block) const;
  void replace(Id site, std::unique_ptr<Linear> linear);
  Linear& linear_of(Id site);
  /// null: off. While an observer is set, producers also keep the float value and use the
  /// arithmetic of the differentiable ops.
  void observe(SiteObserver* observer) { observer_ = observer; }
  /// Differentiable ops throughout, and dropout.
  void train(bool on) { training_ = on; }
  bool training() const { return training_; }

  at::Tensor embed(const std::string& table, const at::Tensor& ids);  ///< [..., dim], compute dtype
  at::Tensor table(const std::string& name) const;                    ///< whole, compute dtype
  struct Normed {
    at::Tensor stream;
    Activation out;
  };
  /// Adds delta (may be undefined) to x, stores the sum in the compute dtype and norms the stored
  /// sum. pre-norm: stream = the sum; post-norm: stream = the normed value.
  Normed add_norm(Id norm, const at::Tensor& x, const at::Tensor& delta);
  /// For inputs without a producer to fuse with (attention output).
  Activation quantize_input(Id site, const at::Tensor& x);
  /// act(gate) * up where gate_up is [..., 2K] (gate first), or act alone where it is [..., K].
  /// act: "silu" (= "swish"), "gelu", "gelu_tanh", "relu".
  Activation gate(Id site, const at::Tensor& gate_up, std::string_view act);
  /// [..., K] -> [..., sum N]. real: bool, which of the tokens are no padding, undefined where all
  /// are real; it decides what an observer sees and nothing else.
  at::Tensor linear(Id site, const Activation& input, const at::Tensor& real);
  at::Tensor dropout(const at::Tensor& x, double p);

  /// All loaded leaves in topology order: tables, then block by block norms and sites; tied once.
  std::vector<Parameter> parameters();
  const ExecutorOptions& options() const { return options_; }
  uint64_t weight_bytes() const;  ///< of everything loaded

 private:
  struct NormWeights {
    at::Tensor weight, bias;
  };
  class Tables;  // a WeightSource that answers tied names with the loaded tables
  const at::Tensor& loaded_table(const std::string& name) const;
  void check_loaded(Id site) const;
  bool keep_value(Id site) const;
  bool fuse(Id site, const at::Tensor& x) const;
  bool fuse_on_gpu(Id site, const at::Tensor& x) const;
  at::Tensor norm_alone(const Norm& info, const NormWeights& weights, const at::Tensor& x) const;

  Topology topology_;
  std::shared_ptr<WeightSource> source_;
  LinearFactory factory_;
  ExecutorOptions options_;
  std::map<std::string, at::Tensor> tables_;
  std::vector<NormWeights> norms_;
  std::vector<std::unique_ptr<Linear>> linears_;
  SiteObserver* observer_ = nullptr;
  bool training_ = false;
};

}  // namespace octet
