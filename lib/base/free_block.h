// free_block: gives back what a vector or string holds. Assigning `{}` to it would empty it and keep its block.
#pragma once

namespace sealwire {

template <class Container>
void free_block(Container& container) {
    Container().swap(container);
}

}  // namespace sealwire
