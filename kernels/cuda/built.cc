#include "kernels/cuda/built.h"

namespace octet::cuda {

bool is_built() {
  return true;
}

}  // namespace octet::cuda
