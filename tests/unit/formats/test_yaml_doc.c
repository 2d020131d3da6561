/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "formats/yaml_doc.h"

static ptq_status parse(const char *text, yaml_doc **doc, ptq_error *err)
{
    return yaml_doc_parse(text, strlen(text), "t.yaml", doc, err);
}

static void a_tree_with_lines(void **state)
{
    (void)state;
    ptq_error err;
    yaml_doc *doc;
    assert_ok(parse("# a data set\n"
                    "train: ./train.txt\n"
                    "nc: 2\n"
                    "names: [ 'a b', \"c\" ]\n"
                    "head:\n"
                    "  - [-1, 1, Conv, [256, 1, None, 0.5]]\n"
                    "empty:\n",
                    &doc, &err));
    const yaml_value *root = yaml_doc_root(doc);
    assert_int_equal(root->kind, YAML_MAPPING);
    assert_int_equal(root->n, 5);
    assert_string_equal(yaml_get(root, "train")->text, "./train.txt");
    assert_int_equal(yaml_get(root, "nc")->line, 3);
    const yaml_value *names = yaml_get(root, "names");
    assert_int_equal(names->n, 2);
    assert_string_equal(names->items[0]->text, "a b");
    const yaml_value *row = yaml_get(root, "head")->items[0];
    int64_t from;
    assert_true(yaml_int(row->items[0], &from));
    assert_int_equal(from, -1);
    assert_int_equal(row->items[3]->line, 6);
    assert_false(yaml_is_null(row->items[3]->items[2]));
    assert_true(yaml_is_null(yaml_get(root, "empty")));
    assert_null(yaml_get(root, "absent"));
    assert_null(yaml_get(names, "absent"));
    yaml_doc_destroy(doc);
}

static void scalars_are_read_on_demand(void **state)
{
    (void)state;
    ptq_error err;
    yaml_doc *doc;
    assert_ok(
        parse("[12, '12', 1.5, 1e-3, yes, False, nan, 99999999999999999999, 0x10, -]", &doc, &err));
    const yaml_value *const *v = yaml_doc_root(doc)->items;
    int64_t i;
    double d;
    bool b;
    assert_true(yaml_int(v[0], &i) && i == 12);
    assert_true(yaml_double(v[0], &d) && d == 12.0);
    assert_false(yaml_int(v[1], &i));
    assert_true(yaml_double(v[2], &d) && d == 1.5);
    assert_false(yaml_int(v[2], &i));
    assert_true(yaml_double(v[3], &d) && d == 1e-3);
    assert_true(yaml_bool(v[4], &b) && b);
    assert_true(yaml_bool(v[5], &b) && !b);
    assert_false(yaml_bool(v[0], &b));
    assert_false(yaml_double(v[6], &d));
    assert_false(yaml_int(v[7], &i));
    assert_false(yaml_int(v[8], &i));
    assert_false(yaml_double(v[9], &d));
    assert_false(yaml_int(NULL, &i));
    yaml_doc_destroy(doc);
}

static void bad_input_is_named(void **state)
{
    (void)state;
    ptq_error err;
    yaml_doc *doc;
    static const struct {
        const char *text;
        const char *part;
    } cases[] = {
        {"", "'t.yaml' is empty"},
        {"# only a comment\n", "'t.yaml' is empty"},
        {"a: 1\nb: [1, 2\n", "'t.yaml' line 3: "},
        {"a: 1\nb: 2\na: 3\n", "line 3: the key 'a' is there already"},
        {"a: &x 1\nb: *x\n", "line 2: aliases"},
        {"? [1]\n: 2\n", "line 1: a key must be a text"},
        {"a: 1\n---\nb: 2\n", "line 2: a second document"},
        {"a: \"\\0\"\n", "line 1: a text contains a NUL"},
        {"a: \xff\xfe\n", "'t.yaml' line"},
        {"\ta: 1\n", "'t.yaml' line 1: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_status(parse(cases[i].text, &doc, &err), PTQ_FORMAT);
        if (!strstr(err.message, cases[i].part))
            fail_msg("case %zu: '%s' lacks '%s'", i, err.message, cases[i].part);
    }
    char deep[4096];
    memset(deep, '[', sizeof deep);
    assert_status(yaml_doc_parse(deep, sizeof deep, "t.yaml", &doc, &err), PTQ_FORMAT);
    assert_non_null(strstr(err.message, "nested too deeply"));
    assert_status(yaml_doc_load("/no/such.yaml", &doc, &err), PTQ_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_with_lines),
        cmocka_unit_test(scalars_are_read_on_demand),
        cmocka_unit_test(bad_input_is_named),
    };
    return cmocka_run_group_tests_name("yaml_doc", tests, NULL, NULL);
}
