// What `octet eval` is told. Free of torch.
#pragma once
#include <cstdint>
#include <string>

#include "core/options.h"

namespace octet {

struct EvalOptions : Options {
  std::string model, data, reference;
  int64_t length = 1024, windows = 0, batch = 0, beam = 4, seed = 0;
  std::string dtype = "float32";
  void visit(OptionVisitor& v) override;
};

}  // namespace octet
