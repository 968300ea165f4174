// What compressed-tensors calls the element types of weights and inputs: the one list of those that
// octet reads and writes.
#pragma once
#include "core/dtype.h"

namespace octet {

/// num_bits is bits(element).
struct StoredElement {
  Dtype element;
  const char* type;    ///< "type" of weights and of input_activations
  const char* format;  ///< of codes that are not packed
  bool input;          ///< octet runs inputs of it, too
};

inline constexpr StoredElement kStoredElements[] = {{Dtype::kI8, "int", "int-quantized", true},
                                                    {Dtype::kI4, "int", "int-quantized", false}};

/// Error for an element without a row: a defect.
inline const StoredElement& stored_element(Dtype element) {
  for (const StoredElement& row : kStoredElements) {
    if (row.element == element) return row;
  }
  refuse_dtype(element, "a quantization_config", "I8 or I4");
}

}  // namespace octet
