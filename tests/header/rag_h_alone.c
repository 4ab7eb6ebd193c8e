/* The C header alone, with every warning an error, as C99 and as C++20; twice, to test its guard. */
#include <rag/rag.h>

int rag_h_alone(void);
int rag_h_alone(void) {
    return RAG_OK;
}
