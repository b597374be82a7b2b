"""Plain text from HTML: what a reader sees, laid out to be read."""

import pytest

from postroad.pipeline.compose import plain_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("   \n ", ""),
        ("<frameset><frame></frameset>", ""),
        ("<p>a<!-- note -->b", "ab\n"),
        ("plain", "plain\n"),
        ("<h1>Hi</h1>\n\n<p>one\n  two</p><p>three", "Hi\n\none two\n\nthree\n"),
        ("<div>a</div><div>b</div>c", "a\nb\nc\n"),
        ("a<br>b<br/><br>c", "a\nb\n\nc\n"),
        ("<br>a", "a\n"),
        ("some <b>bold</b><i> and</i> <u>under</u>line", "some bold and underline\n"),
        ("a <span> </span> b", "a b\n"),
        ("&lt;b&gt; &amp; &copy;&nbsp;2026", "<b> & © 2026\n"),
        ("sof\u00adt\u200b \u3000wide", "soft \u3000wide\n"),
        ("<p>&nbsp;&zwnj;</p>", "\u200c\n"),
        ("<p>&nbsp;</p>x", "x\n"),
        ("a<hr>b", "a\n\n--------------------\n\nb\n"),
    ],
)
def test_text_is_laid_out_as_a_reader_would_see_it(html: str, text: str) -> None:
    assert plain_text(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('<a href="https://x.example/?a=1&amp;b=2">See</a> it', "See (https://x.example/?a=1&b=2) it\n"),
        ('<a href="https://x.example/">https://x.example/</a>', "https://x.example/\n"),
        ('<a href="mailto:a@x.example">a@x.example</a>', "a@x.example\n"),
        ('<a href="mailto:a@x.example">write</a>', "write (mailto:a@x.example)\n"),
        ('<a href="javascript:alert(1)">click</a>', "click\n"),
        ('<a href="#top">top</a> <a name="x">here</a>', "top here\n"),
        ('<a href="https://x.example/"><img src="a.png"></a>end', "end\n"),
        ('<a href="https://x.example/"><img src="a.png" alt="Logo"></a>', "Logo (https://x.example/)\n"),
        ('<a href="https://x.example/"><div>Big</div></a>', "Big\n(https://x.example/)\n"),
        ('<a href=" https://x.ex\nample/a b ">See</a>', "See (https://x.example/ab)\n"),
    ],
)
def test_a_link_shows_where_it_goes(html: str, text: str) -> None:
    assert plain_text(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<ul><li>a<li>b</ul>", "* a\n* b\n"),
        ("<p>x</p><ol><li>a</li><li>b<p>more</p></li></ol><p>y", "x\n\n1. a\n2. b\n   more\n\ny\n"),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", "* a\n  * b\n* c\n"),
        ("<ul><li><li>b</ul>", "* b\n"),
        ("<ul><li><blockquote>q</blockquote></ul>", "* > q\n"),
        ("<li>stray", "* stray\n"),
        ("<ol>" + "<li>x" * 10 + "</ol>", "".join(f"{n}. x\n" for n in range(1, 11))),
        ("a<blockquote>b<blockquote>c</blockquote></blockquote>", "a\n\n> b\n\n> > c\n"),
        ("<pre>a  b\n  c\r\nd</pre>", "a  b\n  c\nd\n"),
        ("<pre>a\n\nb</pre>", "a\n\nb\n"),
        ("<table><tr><th>n<th>price<tr><td>1<td> 2 EUR</table>", "n  price\n1  2 EUR\n"),
        ("<table><tr><td></td><td>a</td></tr></table>", "a\n"),
    ],
)
def test_lists_quotations_and_tables_keep_their_shape(html: str, text: str) -> None:
    assert plain_text(html) == text


@pytest.mark.parametrize(
    "hidden",
    [
        "<style>p{}</style>",
        "<script>x()</script>",
        "<title>t</title>",
        "<template><p>t</p></template>",
        "<svg><text>t</text></svg>",
        '<div style="color:red; DISPLAY : none">t</div>',
        '<p style="mso-hide:all">t</p>',
        "<ul hidden><li>t</ul>",
        "<textarea>t</textarea>",
    ],
)
def test_what_a_reader_would_not_see_is_left_out(hidden: str) -> None:
    assert plain_text(f"<p>a</p>{hidden}<p style='display:block'>b</p>") == "a\n\nb\n"


def test_deep_nesting_is_no_recursion() -> None:
    assert plain_text("<div>" * 5000 + "x" + "</div>" * 5000) == "x\n"
    assert plain_text("<blockquote>" * 5000 + "x") == "> " * 32 + "x\n"
    assert plain_text("<blockquote>" * 40 + "<li>x") == "> " * 32 + "* x\n"


def test_html_that_would_explode_in_a_tree_gives_its_text_all_the_same() -> None:
    fonts = "".join(f"<font size={n}>" for n in range(2_000))
    assert plain_text(f"<p>{fonts}</p>" + "<p>x &amp;  y" * 2_000) == "x & y\n" * 2_000
    assert plain_text("<div>" * 200_000 + "x<br>y") == "x\ny\n"
    assert plain_text("<br>" * 10_001 + "a <b>b</b><script>c</p><i>d</script>e<style>f") == "a be\n"


def test_long_html_without_much_formatting_is_laid_out() -> None:
    assert plain_text("<ul>" + "<li>x" * 5_000 + "</ul>") == "* x\n" * 5_000
