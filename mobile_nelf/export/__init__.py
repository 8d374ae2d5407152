"""The one door between the SDK and its targets: what an exporter is given and what it returns."""
