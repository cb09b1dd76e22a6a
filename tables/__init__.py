"""The windowed Faust table of sales, its web views, and the merge of top lists."""
