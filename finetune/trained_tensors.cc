#include "finetune/trained_tensors.h"

#include <ATen/ATen.h>

#include <cstring>
#include <map>

#include "models/torch_dtype.h"
#include "models/weights/weight_sources.h"
#include "quant/linears/fake_quant.h"

namespace octet {
namespace {

using Tensors = std::map<std::string, at::Tensor>;

// Some tensors in memory, the others where they were.
class Overlay : public TensorSource {
 public:
  Overlay(TensorSource& base, Tensors tensors, std::vector<TensorInfo> infos)
      : base_(base), loaded_(std::move(tensors)) {
    for (TensorInfo& info : infos) add(std::move(info));
  }
  std::shared_ptr<const TensorReader> open(const std::string& name) override {
    return loaded_.has(name) ? loaded_.open(name) : base_.open(name);
  }

 private:
  TensorSource& base_;
  MemoryTensors loaded_;
};

// Hugging Face's tensors of a leaf; a fused site is cut into its matrices.
void split(const Topology& topology, const Parameter& p, Tensors& out) {
  if (p.kind == Parameter::Kind::kScale) return;
  const bool weight = p.name.ends_with(".weight");
  const std::string suffix = weight ? ".weight" : ".bias";
  const std::string owner = p.name.substr(0, p.name.size() - suffix.size());
  const at::Tensor host = p.leaf.detach().to(at::kCPU);
  for (const Site& site : topology.sites) {
    if (site.name != owner) continue;
    int64_t row = 0;
    for (size_t i = 0; i < site.matrices.size(); ++i) {
      const Matrix& matrix = site.matrices[i];
      const std::string name = weight ? site.weight_name(i) : matrix.name + ".bias";
      if (weight || matrix.bias) out[name] = host.narrow(0, row, matrix.n);
      row += matrix.n;
    }
    return;
  }
  out[p.name] = host;
}

struct Coded {
  at::Tensor q, scale, input_scale;
  Dtype element;
};

std::map<std::string, Coded> coded_modules(const Topology& topology, Executor& executor) {
  std::map<std::string, Coded> coded;
  for (size_t s = 0; s < topology.sites.size(); ++s) {
    const auto* linear =
        dynamic_cast<const FakeQuantLinear*>(&executor.linear_of(static_cast<Id>(s)));
    if (linear == nullptr) continue;
    const QuantizedWeight weight = linear->deployed();
    int64_t row = 0;
    for (const Matrix& matrix : topology.sites[s].matrices) {
      coded[matrix.name] = {weight.q.narrow(0, row, matrix.n),
                            weight.scale.narrow(0, row, matrix.n), linear->deployed_input_scale(),
                            linear->element()};
      row += matrix.n;
    }
  }
  return coded;
}

at::Tensor tensor_of(const ConstantTensor& constant) {
  const at::Tensor tensor =
      at::empty(constant.info.shape, torch_dtype(constant.info.dtype, constant.info.name));
  std::memcpy(tensor.data_ptr(), constant.bytes.data(), constant.bytes.size());
  return tensor;
}

// The tensors of one quantized module, in the order of item_tensors().
std::vector<at::Tensor> module_tensors(const StreamItem& item, const Coded& coded) {
  const bool packed = item.action == StreamItem::Action::kPacked;
  std::vector<at::Tensor> tensors{packed ? pack_qweight(coded.q, coded.element) : coded.q,
                                  coded.scale};
  for (const ConstantTensor& constant : item.constants) {
    const bool scale = constant.info.name.ends_with(".input_scale");
    tensors.push_back(scale ? coded.input_scale : tensor_of(constant));
  }
  return tensors;
}

}  // namespace

TrainedTensors trained_tensors(QuantizeJob& job, const Topology& topology, Executor& executor,
                               const std::vector<Parameter>& trained) {
  Tensors leaves, tensors;
  for (const Parameter& p : trained) split(topology, p, leaves);
  const auto coded = coded_modules(topology, executor);
  std::vector<TensorInfo> infos;
  TrainedTensors made;
  for (const StreamItem& item : stream_items(*job.source, job.plan, job.scale_type)) {
    const TensorInfo& source = job.source->info(item.source);
    const std::vector<TensorInfo> written = item_tensors(item, source);
    if (item.action != StreamItem::Action::kCopy) {
      const auto parts = module_tensors(item, coded.at(item.target));
      for (size_t i = 0; i < parts.size(); ++i) tensors[written[i].name] = parts[i].contiguous();
    } else if (const auto leaf = leaves.find(item.target); leaf != leaves.end()) {
      // Tables are held with two dimensions, whatever they are stored with.
      tensors[item.target] = leaf->second.to(torch_dtype(source.dtype, source.name))
                                 .reshape(source.shape)
                                 .contiguous();
    }
    for (const TensorInfo& info : written) {
      infos.push_back(info);
      made.items.push_back({info.name, info.name, StreamItem::Action::kCopy, {}, {}});
    }
  }
  made.source = std::make_unique<Overlay>(*job.source, std::move(tensors), std::move(infos));
  return made;
}

}  // namespace octet
