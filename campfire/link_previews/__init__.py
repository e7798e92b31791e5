"""Link previews: what a link in a message leads to, fetched beside the path that messages take."""
