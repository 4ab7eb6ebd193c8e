// Training data as rows: each shape that people keep it in, each way it can be wrong (with file and line), real files.
#include <catch2/catch.hpp>
#include <fstream>

#include "require_error.hpp"
#include "test_files.hpp"
#include "train/data/json_value.hpp"
#include "train/data/read_rows.hpp"

using namespace rag::core;
using rag::test::require_error;
using rag::test::TemporaryFolder;

namespace {

TrainingRows lines(const std::string& text, ReadRowsOptions options = {}) {
    options.format = "jsonl";
    return read_rows(text, "rows.jsonl", options);
}

TrainingRow one(const std::string& line, RowKind kind = RowKind::kAny) {
    ReadRowsOptions options;
    options.kind = kind;
    const TrainingRows rows = lines(line, options);
    REQUIRE(rows.rows.size() == 1);
    return rows.rows[0];
}

void write(const std::filesystem::path& path, const std::string& text) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
}

const std::string kTwo = "{\"text\":\"a\",\"label\":\"x\"}\n{\"text\":\"b\",\"label\":\"y\"}\n";

}  // namespace

TEST_CASE("rows of each shape become what their task takes") {
    CHECK(row_json(one(R"({"text":"a","id":"7"})")) == R"({"text":"a"})");
    CHECK(row_json(one(R"("a text alone")")) == R"({"text":"a text alone"})");
    CHECK(row_json(one(R"({"query":"q","positive":"p","negatives":["n","m"]})")) ==
          R"({"query":"q","positive":"p","negatives":["n","m"]})");
    CHECK(row_json(one(R"({"anchor":"q","positive":"p","negative":"n"})")) ==
          R"({"query":"q","positive":"p","negatives":["n"]})");
    CHECK(row_json(one(R"({"query":"q","pos":["p"],"neg":[]})")) == R"({"query":"q","positive":"p"})");
    CHECK(row_json(one(
              R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"tools":[{"b":1,"a":2}]})")) ==
          R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"tools":[{"b":1,"a":2}]})");
    CHECK(row_json(one(R"({"instruction":"add","input":"1 2","output":"3","system":"s","history":[["h","i"]]})")) ==
          R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":"h"},{"role":"assistant","content":"i"},)"
          R"({"role":"user","content":"add\n1 2"},{"role":"assistant","content":"3"}]})");
    CHECK(row_json(one(R"({"prompt":"q","completion":"a"})")) ==
          R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]})");
    CHECK(
        row_json(one(
            R"({"conversations":[{"from":"human","value":"q"},{"from":"function_call","value":"{\"name\":\"f\",\"arguments\":{\"z\":1,\"a\":2}}"},)"
            R"({"from":"observation","value":"o"},{"from":"gpt","value":"a"}],"system":"s","tools":"[{\"name\":\"f\"}]"})")) ==
        R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":"q"},{"role":"assistant","content":"","tool_calls":)"
        R"([{"type":"function","function":{"name":"f","arguments":{"z":1,"a":2}}}]},{"role":"tool","content":"o"},)"
        R"({"role":"assistant","content":"a"}],"tools":[{"name":"f"}]})");
    const TrainingRows labelled = lines(kTwo + R"({"sentence1":"c","sentence2":"d","label":3})");
    CHECK(labelled.kind == RowKind::kLabelled);
    CHECK(labelled.labels == std::vector<std::string>{"3", "x", "y"});
    CHECK(row_json(labelled.rows[2]) == R"({"text":"c","text_pair":"d","label":"3"})");
    CHECK(labelled.rows[2].line == 3);
}

TEST_CASE("what row_json writes is read back the same") {
    for (const char* text : {R"({"text":"a\u0000b"})", R"({"query":"q","positive":"p","negatives":["n"]})",
                             R"({"messages":[{"role":"user","content":"\u4e2d"},{"role":"assistant","content":"a"}]})"}) {
        const std::string written = row_json(one(text));
        CHECK(row_json(one(written)) == written);
    }
}

TEST_CASE("a bad row is an error with the file and the line, or is skipped and counted") {
    const auto refuse = [](const std::string& line, std::initializer_list<std::string> parts) {
        CAPTURE(line);
        require_error(Code::kInvalidArgument, parts, [&] { lines(kTwo + "\n" + line); });
        ReadRowsOptions options;
        options.skip_bad_rows = true;
        const TrainingRows rows = lines(kTwo + "\n" + line + "\n" + kTwo, options);
        CHECK(rows.rows.size() == 4);
        REQUIRE(rows.skipped_count == 1);
        CHECK(rows.skipped[0].line == 4);
        for (const std::string& part : parts) {
            if (part.find("line 4") == std::string::npos) CHECK_THAT(rows.skipped[0].reason, Catch::Matchers::Contains(part));
        }
    };
    refuse("{\"text\":\"a\"", {"line 4", "not valid JSON"});
    refuse("[1]", {"line 4", "an object is expected, found array"});
    refuse("{\"text\":\"a\"}", {"line 4", "\"text\" and \"label\"", "its members are \"text\""});
    refuse("{\"text\":\"a\",\"label\":null}", {"line 4"});
    refuse("{\"text\":\"a\",\"label\":1.5}", {"line 4", "the label must be a text or a whole number, it is number"});
    refuse("{\"text\":\" \",\"label\":\"x\"}", {"line 4", "the text is empty"});
    refuse("{\"text\":7,\"label\":\"x\"}", {"line 4", "the text must be a text, it is number"});
    refuse("{\"query\":\"q\",\"positive\":\"p\"}", {"line 4", "\"text\" and \"label\""});
    refuse("{\"text\":\"" + std::string(1 << 20, 'a') + "\",\"label\":\"x\"}", {"line 4", "1048577 bytes", "1048576"});
    refuse("{\"text\":" + std::string(100, '[') + std::string(100, ']') + "}", {"line 4", "nested deeper than 64"});
}

TEST_CASE("conversations that teach nothing, and preference data, are refused") {
    const auto refuse = [](const std::string& line, const std::string& part) {
        require_error(Code::kInvalidArgument, {"line 1", part}, [&] { lines(line); });
    };
    refuse(R"({"messages":[{"role":"user","content":"q"}]})", "no answer");
    refuse(R"({"messages":[]})", "no answer");
    refuse(R"({"messages":[{"role":"user"},{"role":"assistant","content":"a"}]})", "message 1 has no content");
    refuse(R"({"messages":[{"content":"q"}]})", "message 1 has no text \"role\"");
    refuse(R"({"messages":"no list"})", "no list");
    refuse(R"({"conversations":[{"from":"cat","value":"q"}]})", "turn 1 is from \"cat\"");
    refuse(R"({"conversations":[{"from":"function_call","value":"f of 1"}]})", "turn 1 is no call of a function");
    refuse(R"({"conversations":[{"from":"human","value":"q"}],"chosen":{},"rejected":{}})", "preference data");
    refuse(R"({"instruction":"q","output":7})", "no text \"output\"");
    refuse(R"({"query":"q","positive":["a","b"]})", "the positive holds 2 texts");
}

TEST_CASE("data that cannot train is refused before training") {
    require_error(Code::kInvalidArgument, {"rows.jsonl", "holds no rows"}, [] { lines(" \n\n"); });
    require_error(Code::kInvalidArgument, {"all 2 rows", "the label \"x\""},
                  [] { lines("{\"text\":\"a\",\"label\":\"x\"}\n{\"text\":\"b\",\"label\":\"x\"}"); });
    require_error(Code::kInvalidArgument, {"rows.jsonl", "not UTF-8: byte 0xff at offset 9"},
                  [] { lines("{\"text\":\"\xff\"}"); });
    ReadRowsOptions options;
    options.labels = {"x"};
    require_error(Code::kInvalidArgument, {"line 2", "the label \"y\" is none of the 1"}, [&] { lines(kTwo, options); });
    require_error(Code::kInvalidArgument, {"labels were given", "text"}, [&] { lines("{\"text\":\"a\"}", options); });
    options = {};
    options.skip_bad_rows = true;
    require_error(Code::kInvalidArgument, {"no good row", "1 were skipped", "line 1"}, [&] { lines("{}", options); });
    require_error(Code::kUnsupported, {"rows.parquet", ".jsonl"}, [] { read_rows("", "rows.parquet", {}); });
    require_error(Code::kNotFound, {"nowhere.jsonl"}, [] { read_rows(std::filesystem::path("nowhere.jsonl"), {}); });
}

TEST_CASE("tables hold rows too, with the line where a row begins") {
    ReadRowsOptions options;
    options.columns.text = "question";
    options.columns.label = "class";
    const TrainingRows rows = read_rows("question;class;id\n\"two\nlines\";x;1\n\nb;y;2\n", "t.csv", options);
    REQUIRE(rows.rows.size() == 2);
    CHECK(rows.rows[0].text == "two\nlines");
    CHECK(rows.rows[0].line == 2);
    CHECK(rows.rows[1].line == 5);
    require_error(Code::kInvalidArgument, {"t.csv", "no column \"class\""},
                  [&] { read_rows("question\na\n", "t.csv", options); });
    require_error(Code::kInvalidArgument, {"t.csv", "line 3", "3 fields"},
                  [&] { read_rows("question,class\na,x\nb,y,z\nc,x\n", "t.csv", options); });
    options.skip_bad_rows = true;
    const TrainingRows skipped = read_rows("question,class\na,x\nb,y,z\n,x\nc,y\n", "t.csv", options);
    CHECK(skipped.rows.size() == 2);
    REQUIRE(skipped.skipped_count == 2);
    CHECK(skipped.skipped[0].line == 3);
    CHECK(skipped.skipped[1].line == 4);
    const TrainingRows pairs = read_rows("query\tpositive\tnegatives\nq\tp\t[\"n\", \"m\"]\n", "t.tsv", {});
    CHECK(pairs.rows[0].negatives == std::vector<std::string>{"n", "m"});
}

TEST_CASE("a list in a .json file, and members of other names") {
    ReadRowsOptions options;
    options.columns.text = "t";
    const TrainingRows rows = read_rows(R"([{"t":"a"},{"t":"b"}])", "l.json", options);
    CHECK(rows.rows.size() == 2);
    CHECK(rows.rows[1].line == 2);
    require_error(Code::kInvalidArgument, {"l.json", "line 1", "no \"t\""},
                  [&] { read_rows(R"([{"text":"a"}])", "l.json", options); });
    require_error(Code::kInvalidArgument, {"l.json", "number"}, [&] { read_rows("3", "l.json", options); });
}

TEST_CASE("a folder of BEIR gives a row for each judgment") {
    const TemporaryFolder folder;
    write(folder.path() / "corpus.jsonl",
          "{\"_id\":\"d1\",\"title\":\"T\",\"text\":\"one\"}\n{\"_id\":\"d2\",\"text\":\"two\"}\n");
    write(folder.path() / "queries.jsonl", "{\"_id\":\"q1\",\"text\":\"which\"}\n");
    write(folder.path() / "qrels" / "train.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t0\n");
    const TrainingRows rows = read_rows(folder.path(), {});
    REQUIRE(rows.rows.size() == 1);
    CHECK(row_json(rows.rows[0]) == R"({"query":"which","positive":"T\none","negatives":["two"]})");
    ReadRowsOptions options;
    options.split = "dev";
    require_error(Code::kNotFound, {"split \"dev\"", "qrels/dev.tsv"}, [&] { read_rows(folder.path(), options); });
    write(folder.path() / "qrels" / "dev.tsv", "query-id\tcorpus-id\tscore\nq1\td1\tx\nq1\td9\t1\nq1\td2\t2\n");
    require_error(Code::kInvalidArgument, {"dev.tsv", "line 2", "relevance \"x\""}, [&] { read_rows(folder.path(), options); });
    options.skip_bad_rows = true;
    const TrainingRows some = read_rows(folder.path(), options);
    CHECK(some.rows.size() == 1);
    CHECK(some.skipped_count == 2);
    CHECK(some.skipped[1].reason == "there is no document \"d9\"");
    options.kind = RowKind::kChat;
    require_error(Code::kInvalidArgument, {"is a folder", "chat"}, [&] { read_rows(folder.path(), options); });
}

TEST_CASE("real files are read whole") {
    const auto banking = rag::test::shared_data("en_cls_banking77");
    RAG_NEEDS(banking);
    const TrainingRows rows = read_rows(banking / "train.jsonl", {});
    CHECK(rows.rows.size() == 10003);
    CHECK(rows.labels.size() == 77);
    CHECK(rows.skipped_count == 0);
}
