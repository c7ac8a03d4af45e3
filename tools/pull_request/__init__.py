"""What a pipeline says in a pull request: the preview of each stack, as one comment that is kept up to date.

GitHub and Azure DevOps are spoken to over their REST APIs, with the token that the pipeline has. Only the standard
library is used, as a pipeline runs it whether or not the preview got as far as installing anything.
"""
