/* Documents in, hits and a cited answer out.
 *   quickstart                     searches by words alone
 *   quickstart ENCODER GENERATOR   a sentence-transformers folder and a GGUF file: vectors, and an answer with citations */
#include <rag/rag.h>
#include <stdio.h>
#include <string.h>

static rag_text text(const char* value) {
    rag_text out = {value, strlen(value)};
    return out;
}

/* Prints what went wrong; 1 so that it can be returned from main. */
static int failed(const char* what) {
    fprintf(stderr, "quickstart: %s: %s\n", what, rag_error_message());
    return 1;
}

static int print_token(const rag_token* token, void* user_data) {
    (void)user_data;
    fwrite(token->text.data, 1, token->text.size, stdout);
    return fflush(stdout); /* 0 goes on; a closed pipe stops the answer */
}

static int ask(rag_engine* engine) {
    rag_generate_options generation = RAG_GENERATE_OPTIONS_INIT;
    rag_ask_options options = RAG_ASK_OPTIONS_INIT;
    rag_answer* answer = NULL;
    size_t i;
    generation.token = print_token;
    options.generation = &generation;
    if (rag_engine_ask(engine, text("Within how many days can goods be returned?"), &options, &answer) < 0) return failed("ask");
    printf("\n");
    for (i = 0; i < rag_answer_citation_count(answer); ++i) {
        rag_citation citation = RAG_CITATION_INIT;
        rag_hit hit = RAG_HIT_INIT;
        rag_answer_citation_at(answer, i, &citation);
        rag_hits_at(rag_answer_hits(answer), citation.hit, &hit);
        printf("  supported by %.*s: %.*s\n", (int)hit.doc_id.size, hit.doc_id.data, (int)(citation.hit_end - citation.hit_start),
               hit.text.data + citation.hit_start);
    }
    rag_answer_free(answer);
    return 0;
}

int main(int argc, char** argv) {
    rag_engine_options options = RAG_ENGINE_OPTIONS_INIT;
    rag_document documents[2] = {RAG_DOCUMENT_INIT, RAG_DOCUMENT_INIT};
    rag_query query = RAG_QUERY_INIT;
    rag_text memory = {NULL, 0};
    rag_encoder* encoder = NULL;
    rag_generator* generator = NULL;
    rag_engine* engine = NULL;
    rag_hits* hits = NULL;
    size_t i;
    int result = 0;

    if (argc == 3) {
        if (rag_encoder_open(text(argv[1]), NULL, &encoder) < 0) return failed(argv[1]);
        if (rag_generator_open(text(argv[2]), NULL, &generator) < 0) return failed(argv[2]);
        options.embedder = encoder;
        options.generator = generator;
    }
    if (rag_engine_open(memory, &options, &engine) < 0) return failed("open");

    documents[0].id = text("returns");
    documents[0].text = text("Goods can be returned within 30 days of delivery.");
    documents[1].id = text("shipping");
    documents[1].text = text("Shipping takes two working days and costs 4 euros.");
    if (rag_engine_add(engine, documents, 2, NULL, NULL) < 0) return failed("add");

    query.text = text("when can goods be returned?");
    query.k = 2;
    if (rag_engine_search(engine, &query, &hits) < 0) return failed("search");
    for (i = 0; i < rag_hits_count(hits); ++i) {
        rag_hit hit = RAG_HIT_INIT;
        rag_hits_at(hits, i, &hit);
        printf("%.3f %.*s: %.*s\n", hit.score, (int)hit.doc_id.size, hit.doc_id.data, (int)hit.text.size, hit.text.data);
    }
    rag_hits_free(hits);

    if (generator != NULL) result = ask(engine);
    rag_engine_free(engine);
    rag_generator_free(generator);
    rag_encoder_free(encoder);
    return result;
}
