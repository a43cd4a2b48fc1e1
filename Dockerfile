# The operator's image: docker build -t certward:0.1.0 .
FROM python:3.12-slim AS build
RUN pip install --no-cache-dir uv==0.13.9
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /app
COPY pyproject.toml uv.lock README.md LICENSE ./
# The dependencies first: this layer stays while only the operator's own code changes. Only the project's own
# dependencies are wanted; what develops and tests it is in groups.
RUN uv sync --frozen --no-default-groups --no-install-project
COPY operator ./operator
RUN uv sync --frozen --no-default-groups --no-editable

FROM python:3.12-slim
ENV PATH=/app/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 TZ=UTC
COPY --from=build /app/.venv /app/.venv
USER 65532:65532
EXPOSE 8089 8080
ENTRYPOINT ["python", "-m", "certward"]
